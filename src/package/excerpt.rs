//! A value of somebody else's, shown inside a message: in backticks, on one line, and never so long that the message
//! drowns in it.

use std::fmt;

/// Characters that are shown before the rest is cut off.
const SHOWN: usize = 80;

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

#[cfg(test)]
mod tests {
    use super::Excerpt;

    #[test]
    fn a_short_value_is_shown_whole_and_a_long_one_is_cut() {
        assert_eq!(Excerpt("serde").to_string(), "`serde`");
        assert_eq!(Excerpt("a\nb\0").to_string(), "`a\\nb\\u{0}`");
        assert_eq!(Excerpt(&"x".repeat(500)).to_string(), format!("`{}…`", "x".repeat(80)));
    }
}
