//! Values from outside in messages: in backticks, on one line, and shortened.

use std::fmt;

use super::characters::write_character;

/// Characters of a value that are shown.
const SHOWN: usize = 80;

/// Characters of a library's message that are shown.
const REMARKED: usize = 500;

/// Values that are listed; the rest is counted.
const LISTED: usize = 20;

/// Shows a value in an error message: hidden characters escaped, at most 80 characters, in backticks.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<'a>(pub &'a str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        f.write_str("`")?;
        write_plain(f, characters.by_ref().take(SHOWN))?;
        f.write_str(if characters.next().is_some() { "…`" } else { "`" })
    }
}

/// Shows a library's message about a value, which may repeat the value: on one line and shortened.
#[derive(Clone, Copy, Debug)]
pub struct Remark<'a>(pub &'a str);

impl fmt::Display for Remark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        write_plain(f, characters.by_ref().take(REMARKED))?;
        if characters.next().is_some() { f.write_str("…") } else { Ok(()) }
    }
}

fn write_plain(f: &mut fmt::Formatter<'_>, mut characters: impl Iterator<Item = char>) -> fmt::Result {
    characters.try_for_each(|character| write_character(f, character))
}

/// Several values separated by commas, at most 20; `none` if there are none.
pub fn listed<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    enumerated(values.into_iter().map(|value| Excerpt(value).to_string()))
}

/// Several texts separated by commas, unchanged, at most 20; `none` if there are none.
pub fn enumerated(values: impl IntoIterator<Item = String>) -> String {
    let mut values = values.into_iter();
    let mut shown: Vec<String> = values.by_ref().take(LISTED).collect();
    match values.count() {
        0 => {}
        more => shown.push(format!("and {more} more")),
    }
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::{Excerpt, Remark, listed};

    #[test]
    fn a_short_value_is_shown_whole_and_a_long_one_is_cut() {
        assert_eq!(Excerpt("serde").to_string(), "`serde`");
        assert_eq!(Excerpt("a\nb\0\u{202e}").to_string(), "`a\\nb\\u{0}\\u{202e}`");
        assert_eq!(Excerpt(&"x".repeat(500)).to_string(), format!("`{}…`", "x".repeat(80)));
    }

    #[test]
    fn a_sentence_that_repeats_a_value_is_made_plain_and_cut_as_well() {
        assert_eq!(Remark("no number: 1\u{17}2").to_string(), "no number: 1\\u{17}2");
        assert_eq!(Remark(&"x".repeat(501)).to_string(), format!("{}…", "x".repeat(500)));
    }

    #[test]
    fn a_long_list_is_counted_at_its_end() {
        assert_eq!(listed([]), "none");
        assert_eq!(listed(["a", "b"]), "`a`, `b`");
        assert!(listed(["a"; 20]).ends_with("`a`"));
        assert!(listed(["a"; 22]).ends_with("`a`, and 2 more"));
    }
}
