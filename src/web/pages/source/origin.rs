//! The commit that the package was made from, as its publisher says.

use maud::{Markup, html};

use super::opened::Opened;
use crate::package::vcs_info::{HostedRepository, PATH, VcsInfo};

/// The commit, with the repository if its host shows commits.
pub struct Origin<'a> {
    info: &'a VcsInfo,
    repository: Option<HostedRepository>,
}

impl<'a> Origin<'a> {
    /// None if the package does not say it.
    pub fn of(opened: &'a Opened) -> Option<Self> {
        let info = opened.source.vcs_info()?;
        let repository = opened.found.version.about.repository.as_deref().and_then(HostedRepository::of);
        Some(Self { info, repository })
    }

    /// A link to a file in the commit.
    pub fn file(&self, path: &str) -> Option<Markup> {
        // cargo writes these itself.
        if matches!(path, PATH | "Cargo.toml" | "Cargo.lock") {
            return None;
        }
        let repository = self.repository.as_ref()?;
        let page = repository.file(self.info, path)?;
        Some(html! { a href=(page) rel="nofollow noopener" { "At " (repository.host()) } })
    }
}

/// A sentence about the commit.
pub fn notice(opened: &Opened) -> Markup {
    let Some(origin) = Origin::of(opened) else { return html! {} };
    let (info, short) = (origin.info, &origin.info.commit[..12]);
    html! {
        p class="muted" {
            "Its publisher says that it was made from the commit "
            @match &origin.repository {
                Some(repository) => {
                    a href=(repository.commit_page(info)) rel="nofollow noopener" { code { (short) } } " at " (repository.host())
                }
                None => { code { (short) } }
            }
            @if !info.directory.is_empty() { ", directory " code { (crate::web::pages::parts::text::name(&info.directory)) } }
            @if info.is_dirty { ", with changes that were not committed" }
            "."
        }
    }
}
