//! A value of somebody else's, shown inside a message: in backticks, on one line, and never so long that the message
//! drowns in it.

use std::fmt;

/// Characters that are shown before the rest is cut off.
const SHOWN: usize = 80;

/// Values that are listed before the rest is only counted.
const LISTED: usize = 20;

/// Shows a string as an error text may: control characters escaped, at most 80 characters, in backticks.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<'a>(pub &'a str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        f.write_str("`")?;
        for character in characters.by_ref().take(SHOWN) {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        f.write_str(if characters.next().is_some() { "…`" } else { "`" })
    }
}

/// Several of them, at most 20, with commas between them; `none` if there are none.
pub fn listed<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    enumerated(values.into_iter().map(|value| Excerpt(value).to_string()))
}

/// The same of texts that are shown as they are.
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
    use super::{Excerpt, listed};

    #[test]
    fn a_short_value_is_shown_whole_and_a_long_one_is_cut() {
        assert_eq!(Excerpt("serde").to_string(), "`serde`");
        assert_eq!(Excerpt("a\nb\0").to_string(), "`a\\nb\\u{0}`");
        assert_eq!(Excerpt(&"x".repeat(500)).to_string(), format!("`{}…`", "x".repeat(80)));
    }

    #[test]
    fn a_long_list_is_counted_at_its_end() {
        assert_eq!(listed([]), "none");
        assert_eq!(listed(["a", "b"]), "`a`, `b`");
        assert!(listed(["a"; 20]).ends_with("`a`"));
        assert!(listed(["a"; 22]).ends_with("`a`, and 2 more"));
    }
}
