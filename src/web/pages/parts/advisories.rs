//! What the pages of a crate say of the security advisories about it.

use diesel::PgConnection;
use maud::{Markup, html};

use super::text::text;
use crate::advisory::Ranges;
use crate::database::advisories::known::{self, Known};
use crate::package::{CrateName, Version};
use crate::web::ApiError;
use crate::web::pages::links::Links;

/// Advisories of which a version has a notice.
const SHOWN: usize = 10;

/// The advisories of this registry about a crate that are not withdrawn.
#[derive(Clone, Debug, Default)]
pub struct OfCrate(Vec<(Known, Ranges)>);

impl OfCrate {
    pub fn read(connection: &mut PgConnection, name: &CrateName) -> Result<Self, ApiError> {
        let rows = known::of_own_crate(connection, name)?;
        let with_ranges = |row: Known| row.affected().map(|ranges| (row, ranges)).map_err(ApiError::internal);
        rows.into_iter().map(with_ranges).collect::<Result<_, _>>().map(Self)
    }

    /// Those that affect a version.
    fn about(&self, version: &Version) -> Vec<&(Known, Ranges)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let Ok(version) = version.to_string().parse() else { return Vec::new() };
        self.0.iter().filter(|(_, ranges)| ranges.affects(&version)).collect()
    }

    /// A notice for each that affects a version.
    pub fn notices(&self, links: &Links, version: &Version) -> Markup {
        let about = self.about(version);
        html! {
            @for (of, ranges) in about.iter().take(SHOWN) {
                p class=(if of.informational.is_some() { "notice warn" } else { "notice bad" }) {
                    strong { (heading(of)) } " "
                    (text(&of.title)) ". "
                    a href=(links.advisory(&of.advisory_id, &of.upstream)) { (of.advisory_id) }
                    @match ranges.patched() {
                        [] => { ". No version is patched." }
                        patched => { ". Use " @for (place, range) in patched.iter().enumerate() { @if place > 0 { " or " } code { (text(range)) } } "." }
                    }
                }
            }
            @if about.len() > SHOWN {
                p class="notice bad" { a href=(links.to("/advisories")) { (about.len() - SHOWN) " further security advisories" } " affect this version." }
            }
        }
    }

    /// The marks of a version in a list.
    pub fn tags(&self, links: &Links, version: &Version) -> Markup {
        html! {
            @for (of, _) in self.about(version).into_iter().take(SHOWN) {
                " " a class=(if of.informational.is_some() { "tag warn" } else { "tag bad" }) href=(links.advisory(&of.advisory_id, &of.upstream)) { (of.advisory_id) }
            }
        }
    }
}

fn heading(of: &Known) -> String {
    match (of.informational.as_deref(), &*of.severity) {
        (Some("unmaintained"), _) => "Unmaintained.".to_owned(),
        (Some("unsound"), _) => "Unsound.".to_owned(),
        (Some(_), _) => "Notice.".to_owned(),
        (None, "unrated") => "Vulnerable.".to_owned(),
        (None, severity) => format!("Vulnerable, severity {severity}."),
    }
}
