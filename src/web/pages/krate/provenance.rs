//! Where a version comes from that a trusted publisher has published.

use maud::{Markup, html};

use crate::database::access::provenance::Provenance;
use crate::web::pages::parts::text::text;

/// How many digits of a commit are shown.
const DIGITS: usize = 12;

/// The run of a trusted publisher, with a link to its page.
pub fn run(provenance: &Provenance) -> Markup {
    let title = provenance.provider.title();
    let is_page = |url: &&String| url.starts_with("https://") || url.starts_with("http://");
    html! {
        @match provenance.run_url.as_ref().filter(is_page) {
            Some(url) => { a href=(url) rel="nofollow noopener" { (title) } }
            None => { (title) }
        }
    }
}

/// What a trusted publisher has published: repository, commit, and the branch or tag.
pub fn source(provenance: &Provenance) -> Markup {
    html! {
        (text(provenance.repository.as_ref().unwrap_or(&provenance.subject)))
        @if let Some(sha) = &provenance.sha { " at " code { (text(&sha.chars().take(DIGITS).collect::<String>())) } }
        @if let Some(git_ref) = &provenance.git_ref {
            ", " (text(git_ref.trim_start_matches("refs/tags/").trim_start_matches("refs/heads/")))
        }
        @if let Some(workflow) = &provenance.workflow { ", " code { (text(workflow)) } }
    }
}
