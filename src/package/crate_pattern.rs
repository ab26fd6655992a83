//! Crate patterns: a crate, or all whose names begin alike.

use std::fmt;
use std::str::FromStr;

use super::CrateName;
use super::name::canonical;

/// A crate name, or a prefix followed by `*`. Case, `-` and `_` are not distinguished, as in crate names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CratePattern(String);

/// The text is not a crate pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a crate pattern: use a crate name, a prefix followed by `*`, or `*`")]
pub struct InvalidPattern(pub String);

impl CratePattern {
    pub fn matches(&self, name: &CrateName) -> bool {
        match self.canonical() {
            (beginning, true) => name.canonical().starts_with(&beginning),
            (whole, false) => name.canonical() == whole,
        }
    }

    /// Whether it is for one crate.
    pub fn is_of_one(&self) -> bool {
        !self.0.ends_with('*')
    }

    /// The pattern as it is compared to others.
    pub fn canonical_text(&self) -> String {
        let (text, is_beginning) = self.canonical();
        if is_beginning { text + "*" } else { text }
    }

    /// The name, or the beginning of names, as they are compared, and whether it is a beginning.
    pub fn canonical(&self) -> (String, bool) {
        let beginning = self.0.strip_suffix('*');
        (canonical(beginning.unwrap_or(&self.0)), beginning.is_some())
    }
}

impl fmt::Display for CratePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&CrateName> for CratePattern {
    fn from(name: &CrateName) -> Self {
        Self(name.to_string())
    }
}

impl FromStr for CratePattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let name = match text.strip_suffix('*') {
            Some("") => return Ok(Self(text.to_owned())),
            // A prefix follows the rules of names.
            Some(beginning) => beginning,
            None => text,
        };
        name.parse::<CrateName>().map(|_| Self(text.to_owned())).map_err(|_| InvalidPattern(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<CratePattern>().unwrap().matches(&name.parse().unwrap())
    }

    #[test]
    fn a_pattern_is_a_name_a_prefix_or_everything_in_any_spelling() {
        assert!(matches("foo-bar", "Foo_Bar"));
        assert!(!matches("foo", "foo-bar"));
        assert!(matches("Foo-*", "foo_bar") && matches("foo-*", "foo-"));
        assert!(!matches("foo-*", "foobar") && !matches("foo-*", "a-foo-b"));
        assert!(matches("*", "anything"));
    }

    #[test]
    fn a_text_that_begins_no_name_is_not_a_pattern() {
        for wrong in ["", "**", "*a", "a*b", "a*b*", "1*", "a b*", "ä*", "-*"] {
            assert!(wrong.parse::<CratePattern>().is_err(), "{wrong}");
        }
    }
}
