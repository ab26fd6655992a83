//! What a token is good for: kinds of actions, and names of crates.

use std::fmt;
use std::str::FromStr;

use crate::package::CrateName;

/// An action that a token can be restricted to. Every token may also read, since cargo reads the index before it does
/// anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The first version of a crate that does not exist yet.
    PublishNew,
    /// Another version of a crate.
    PublishUpdate,
    /// Yank and unyank.
    Yank,
    /// Add and remove owners.
    ChangeOwners,
    /// Nothing but reading.
    Read,
}

impl Scope {
    pub const ALL: [Self; 5] = [Self::PublishNew, Self::PublishUpdate, Self::Yank, Self::ChangeOwners, Self::Read];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::PublishNew => "publish-new",
            Self::PublishUpdate => "publish-update",
            Self::Yank => "yank",
            Self::ChangeOwners => "change-owners",
            Self::Read => "read",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no such scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a scope: there are publish-new, publish-update, yank, change-owners and read")]
pub struct UnknownScope(pub String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// Names of crates: one name, or all that begin with what stands before a `*`. Spelling doesn't count, as it doesn't for
/// names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CratePattern(String);

/// The text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pattern for names of crates: write a name, the beginning of names with `*` at its end, or `*`")]
pub struct InvalidPattern(pub String);

impl CratePattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, name: &CrateName) -> bool {
        let canonical = |text: &str| text.to_ascii_lowercase().replace('-', "_");
        match self.0.strip_suffix('*') {
            Some(beginning) => name.canonical().starts_with(&canonical(beginning)),
            None => name.canonical() == canonical(&self.0),
        }
    }
}

impl fmt::Display for CratePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CratePattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let name = match text.strip_suffix('*') {
            Some("") => return Ok(Self(text.to_owned())),
            // What begins a name is a name, but for its length.
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
    fn a_pattern_is_a_name_a_beginning_or_everything_whatever_the_spelling() {
        assert!(matches("foo-bar", "Foo_Bar"));
        assert!(!matches("foo", "foo-bar"));
        assert!(matches("Foo-*", "foo_bar") && matches("foo-*", "foo-"));
        assert!(!matches("foo-*", "foobar") && !matches("foo-*", "a-foo-b"));
        assert!(matches("*", "anything"));
    }

    #[test]
    fn what_can_be_no_beginning_of_a_name_is_no_pattern() {
        for wrong in ["", "**", "*a", "a*b", "a*b*", "1*", "a b*", "ä*", "-*"] {
            assert!(wrong.parse::<CratePattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_scope_is_read_by_its_name() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        assert!("Publish".parse::<Scope>().unwrap_err().to_string().contains("change-owners"));
    }
}
