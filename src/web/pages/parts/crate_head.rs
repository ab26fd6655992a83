//! The head of every page of a crate: its name, what is to be known of the version, and the pages of both.

use maud::{Markup, html};

use super::text::{number, text};
use crate::database::catalog::version_details::VersionRow;
use crate::package::{CrateName, Version};
use crate::web::pages::links::Links;

/// A page of a crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    Readme,
    Versions,
    Dependencies,
    Features,
    Dependents,
    Source,
    /// A page that is not in the row.
    Other,
}

/// What the head shows.
#[derive(Clone, Copy, Debug)]
pub struct CrateHead<'a> {
    pub links: &'a Links,
    pub name: &'a CrateName,
    pub num: &'a Version,
    /// Whether this is the version that the crate's page shows.
    pub is_default: bool,
    pub description: Option<&'a str>,
    pub tab: Tab,
}

impl CrateHead<'_> {
    /// The head, with notices such as those of [`notices`].
    pub fn show(&self, notices: &Markup) -> Markup {
        html! {
            div class="crate-head" {
                h1 {
                    a href=(self.links.krate(self.name)) { (self.name) }
                    span class="num" { (self.num) }
                }
                @if let Some(description) = self.description { p class="lead" { (text(description)) } }
                (notices)
                nav class="tabs" aria-label="Crate" {
                    @for (tab, title, path) in self.tabs() {
                        a href=(path) aria-current=[(tab == self.tab).then_some("page")] { (title) }
                    }
                }
            }
        }
    }

    fn tabs(&self) -> [(Tab, &'static str, String); 6] {
        let (links, name, num) = (self.links, self.name, self.num);
        let readme = if self.is_default { links.krate(name) } else { links.version(name, num) };
        [
            (Tab::Readme, "Overview", readme),
            (Tab::Versions, "Versions", links.of_crate(name, "versions")),
            (Tab::Dependencies, "Dependencies", links.of_version(name, num, "dependencies")),
            (Tab::Features, "Features", links.of_version(name, num, "features")),
            (Tab::Dependents, "Dependents", links.of_crate(name, "dependents")),
            (Tab::Source, "Source", links.source(name, num, "")),
        ]
    }
}

/// What is to be known of a version before it is used: that it is queued, yanked, a pre-release, or not the newest.
pub fn notices(links: &Links, name: &CrateName, row: &VersionRow, default: Option<&Version>) -> Markup {
    let yanked = row.effective_yanked.unwrap_or(false);
    let message = row.yank_message.as_ref().filter(|_| row.desired_yanked);
    if row.deletion_requested_at.is_some() {
        return html! {
            p class="notice bad" {
                strong { "Deleted." } " This version is no longer served, and it is still to be removed from the index. "
                (status_link(links, name, row))
            }
        };
    }
    html! {
        @if row.effective_yanked.is_none() {
            p class="notice warn" {
                strong { "Queued." } " This version was accepted, and cargo does not see it yet. "
                (status_link(links, name, row))
            }
        }
        @if yanked {
            p class="notice bad" {
                strong { "Yanked." } " Cargo uses this version only where a lock file names it already."
                @if let Some(message) = message { " The reason: " (text(message)) }
            }
        }
        @if row.effective_yanked.is_some() && yanked != row.desired_yanked {
            p class="notice warn" {
                @if yanked { "An unyank was requested, and cargo does not see it yet. " } @else {
                    "A yank was requested, and cargo does not see it yet. "
                    @if let Some(message) = message { "The reason: " (text(message)) " " }
                }
                (status_link(links, name, row))
            }
        }
        @if let Some(default) = default.filter(|default| **default != row.num) {
            p class="notice" {
                @if row.num.is_prerelease() { "This is a pre-release. " }
                @if *default > row.num { "There is a newer version: " } @else { "The recommended version is " }
                a href=(links.krate(name)) { (default) } "."
            }
        } @else if row.num.is_prerelease() {
            p class="notice" { "This is a pre-release: cargo uses it only if a requirement names a pre-release." }
        }
    }
}

/// Whether the index does not show yet what was requested.
pub fn is_pending(row: &VersionRow) -> bool {
    row.effective_yanked != Some(row.desired_yanked)
}

/// The link to the page that says how far a version is.
pub fn status_link(links: &Links, name: &CrateName, row: &VersionRow) -> Markup {
    html! { a href=(links.of_version(name, &row.num, "status")) { "Follow its status" } }
}

/// The marks of a version in a list.
pub fn tags(row: &VersionRow) -> Markup {
    let yanked = row.effective_yanked.unwrap_or(false);
    html! {
        @if row.effective_yanked.is_none() { " " span class="tag warn" { "queued" } }
        @if yanked { " " span class="tag bad" { "yanked" } }
        @if row.effective_yanked.is_some() && yanked != row.desired_yanked {
            " " span class="tag warn" { @if yanked { "to be unyanked" } @else { "to be yanked" } }
        }
        @if row.num.is_prerelease() { " " span class="tag" { "pre-release" } }
    }
}

/// The link from a list that is cut to the whole list.
pub fn rest(shown: usize, total: usize, nouns: &str, path: &str) -> Markup {
    html! {
        @if shown < total {
            p { a href=(path) { "All " (number(i64::try_from(total).unwrap_or(i64::MAX))) " " (nouns) } }
        }
    }
}
