//! Links to the neighbours of a page of a list.

use maud::{Markup, html};

use crate::web::views::PageMeta;

/// The links, if there are any. `path` is that of the list.
pub fn pager(path: &str, meta: &PageMeta) -> Markup {
    let to = |query: &Option<String>| query.as_ref().map(|query| format!("{path}{query}"));
    between(to(&meta.prev_page), to(&meta.next_page))
}

/// The same for a list whose pages are numbered from 1; `to` leads to one of them.
pub fn numbered(number: usize, has_more: bool, to: impl Fn(usize) -> String) -> Markup {
    between((number > 1).then(|| to(number - 1)), has_more.then(|| to(number + 1)))
}

fn between(previous: Option<String>, next: Option<String>) -> Markup {
    html! {
        @if previous.is_some() || next.is_some() {
            nav class="pager" aria-label="Pages" {
                @if let Some(place) = previous { a rel="prev" href=(place) { "← Previous" } }
                @if let Some(place) = next { a rel="next" href=(place) { "Next →" } }
            }
        }
    }
}
