//! Links to the neighbours of a page of a list.

use maud::{Markup, html};

use crate::web::views::PageMeta;

/// The links, if there are any. `path` is that of the list.
pub fn pager(path: &str, meta: &PageMeta) -> Markup {
    html! {
        @if meta.prev_page.is_some() || meta.next_page.is_some() {
            nav class="pager" aria-label="Pages" {
                @if let Some(query) = &meta.prev_page { a rel="prev" href=(format!("{path}{query}")) { "← Previous" } }
                @if let Some(query) = &meta.next_page { a rel="next" href=(format!("{path}{query}")) { "Next →" } }
            }
        }
    }
}
