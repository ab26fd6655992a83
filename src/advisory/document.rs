//! An advisory, and the texts in it.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::cvss_severity::Severity;
use super::ranges::Ranges;
use super::read_error::{MAX_ID, ReadError};

/// The longest title, in characters. The rest is cut.
const MAX_TITLE: usize = 300;
/// The longest URL, in bytes. A longer one is left out.
const MAX_URL: usize = 1000;

/// An advisory.
#[derive(Clone, Debug, PartialEq)]
pub struct Advisory {
    pub id: String,
    pub title: String,
    /// Where people read more.
    pub url: Option<String>,
    pub severity: Severity,
    /// The kind of an advisory that is about no vulnerability, such as `unmaintained`.
    pub informational: Option<String>,
    /// Since when it does not count any more.
    pub withdrawn: Option<DateTime<Utc>>,
    /// The crates that it is about, and their versions.
    pub crates: Vec<(String, Ranges)>,
    /// The whole of it in the form of OSV.
    pub document: Value,
}

impl Advisory {
    /// Whether it says that versions are vulnerable, and still does.
    pub fn counts(&self) -> bool {
        self.withdrawn.is_none() && self.informational.is_none()
    }
}

pub(super) fn id(text: &str) -> Result<String, ReadError> {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b':');
    if text.is_empty() || text.len() > MAX_ID || !text.bytes().all(is_plain) {
        return Err(ReadError::Id(text.chars().take(MAX_ID).collect()));
    }
    Ok(text.to_owned())
}

/// Whether an advisory may have this id.
pub fn is_id(text: &str) -> bool {
    id(text).is_ok()
}

/// A title as one line.
pub(super) fn title(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(MAX_TITLE).collect()
}

/// A URL that a page may link to.
pub(super) fn url(text: &str) -> Option<String> {
    let is_plain =
        text.len() <= MAX_URL && text.bytes().all(|c| c.is_ascii_graphic() && !matches!(c, b'"' | b'<' | b'>'));
    (is_plain && (text.starts_with("https://") || text.starts_with("http://"))).then(|| text.to_owned())
}

/// The page of an advisory of the RustSec database.
pub(super) fn own_page(id: &str) -> Option<String> {
    id.starts_with("RUSTSEC-").then(|| format!("https://rustsec.org/advisories/{id}.html"))
}
