//! Lines to copy.

use maud::{Markup, html};

/// A block of text with a button that copies it. `id` is unique on the page.
pub fn block(id: &str, text: &str) -> Markup {
    html! {
        div class="copyable" {
            pre tabindex="0" { code id=(id) { (text) } }
            button type="button" class="copy" data-copy=(id) hidden { "Copy" }
        }
    }
}
