//! Markdown of packages as HTML that may stand on a page.
//!
//! The author of a README is not trusted. comrak renders it, with the HTML in it; what it gives is bounded (`bounds`), cleaned by
//! ammonia with a list of what is allowed (`safe`), and made fit for a page of this host (`tidy`): no image of another host
//! is loaded. A document that is too large or too deep for that is shown as it is written.
//!
//! | file | content |
//! |---|---|
//! | [`places`] | where relative links lead |
//! | `parse` | the dialect, code blocks, and limits of HTML in Markdown |
//! | `bounds` | what a browser and the cleaner can bear |
//! | `safe` | what is allowed |
//! | `tidy` | images, headings, check boxes |

pub mod places;

mod bounds;
mod escape;
mod parse;
mod safe;
mod tidy;

use std::sync::Arc;

pub use places::{Folder, NamedPath, Places};

use self::escape::escaped;
use crate::package::characters::is_hidden;

/// The longest document that is rendered, in bytes. The beginning of a longer one is shown as it is written.
pub const MAX_LENGTH: usize = 512 * 1024;
/// The longest HTML of a document, in bytes.
const MAX_HTML: usize = 4 * 1024 * 1024;

/// A document as HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rendered {
    Html(String),
    /// The document is not rendered; HTML of its text.
    Plain(String),
}

impl Rendered {
    /// The HTML.
    pub fn html(&self) -> &str {
        let (Self::Html(html) | Self::Plain(html)) = self;
        html
    }
}

/// Renders a document that is in this folder of its package.
pub fn render(text: &str, folder: Folder, places: Arc<dyn Places>) -> Rendered {
    let text = visible(text);
    let html = if text.len() > MAX_LENGTH { None } else { rendered(&text, folder, places) };
    html.filter(|html| html.len() <= MAX_HTML).map_or_else(|| Rendered::Plain(plain(&text)), Rendered::Html)
}

fn rendered(text: &str, folder: Folder, places: Arc<dyn Places>) -> Option<String> {
    let html = parse::to_html(text)?;
    let html = bounds::check(&html).then_some(html)?;
    Some(tidy::tidy(&safe::clean(&html, folder, places)))
}

/// The text without characters that are invisible, and with those that would change the direction of others by their number.
fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' | '\r' => visible.push(character),
            '\u{feff}' | '\u{ad}' | '\u{200b}' | '\u{2060}' => {}
            hidden if is_hidden(hidden) => visible.push_str(&format!("[U+{:04X}]", u32::from(hidden))),
            other => visible.push(other),
        }
    }
    visible
}

/// The text as it is written, as far as it is shown.
fn plain(text: &str) -> String {
    let mut end = text.len().min(MAX_LENGTH);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let more = if end < text.len() { "\n…" } else { "" };
    format!("<pre class=\"plain\">{}{more}</pre>", escaped(&text[..end]))
}

#[cfg(test)]
mod tests;
