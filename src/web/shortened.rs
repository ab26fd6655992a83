//! Shortens texts of clients for error messages and the log.

use std::borrow::Cow;

use crate::package::characters::is_hidden;

/// The longest text, in characters.
const SHOWN: usize = 100;

/// The first 100 characters of a text, without those that control a terminal or the direction of text.
pub fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= SHOWN && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut characters = text.chars().filter(|&c| !is_hidden(c));
    let mut shown: String = characters.by_ref().take(SHOWN).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_plain_text_is_unchanged_and_any_other_is_cut() {
        assert_eq!(shortened("/api/v1/crates/foo"), "/api/v1/crates/foo");
        assert_eq!(shortened("a\u{1b}[31m\u{202e}ä\n"), "a[31mä");
        assert_eq!(shortened(&"ä".repeat(100)), "ä".repeat(100));
        assert_eq!(shortened(&"x".repeat(60_000)), format!("{}…", "x".repeat(100)));
    }
}
