//! The name of a crate.
//!
//! There are two separate checks. Parsing checks that a string is a valid name, so every [`CrateName`] is valid.
//! [`CrateName::is_reserved`] checks whether a *new* crate may use it: a dependency may be called `core` in another
//! registry, and a name that is reserved later must not make old rows unreadable.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::excerpt::Excerpt;

/// The longest name, in characters.
pub const MAX_LENGTH: usize = 64;

/// Names that shadow parts of Rust, or have a special meaning for rustc and cargo.
const RESERVED_BY_RUST: &[&str] = &[
    "alloc",
    "build",
    "compiler_builtins",
    "core",
    "crate",
    "debug",
    "deps",
    "doc",
    "examples",
    "incremental",
    "panic_abort",
    "panic_unwind",
    "proc_macro",
    "profiler_builtins",
    "release",
    "rust",
    "rustc",
    "rustdoc",
    "self",
    "std",
    "super",
    "target",
    "test",
    "unwind",
];

/// Device names of Windows: a checkout of an index with such a file fails there.
const RESERVED_BY_WINDOWS: &[&str] = &[
    "aux", "com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "con", "lpt0", "lpt1",
    "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9", "nul", "prn",
];

/// A crate's name in its own spelling: 1 to 64 characters, an ASCII letter first, then ASCII letters, digits, `-` and
/// `_` (the Cargo book, "Registry index", name restrictions).
///
/// Equality is by spelling; two spellings are one crate when their [`CrateName::canonical`] forms are equal.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    diesel::expression::AsExpression,
    diesel::deserialize::FromSqlRow,
)]
#[diesel(sql_type = diesel::sql_types::Text)]
#[serde(try_from = "String", into = "String")]
pub struct CrateName(String);

/// Why a crate name is invalid or not available.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is the empty string.
    #[error("the crate name is empty: set `name` in the `[package]` section of Cargo.toml")]
    Empty,
    /// The name has more than [`MAX_LENGTH`] characters.
    #[error("the crate name {} has {length} characters: choose one of at most {MAX_LENGTH}", Excerpt(.name))]
    TooLong {
        /// The name.
        name: String,
        /// Its length in characters.
        length: usize,
    },
    /// The first character is not an ASCII letter.
    #[error("the crate name {} does not start with a letter: choose one that starts with a letter from a to z", Excerpt(.name))]
    FirstCharacter {
        /// The name.
        name: String,
    },
    /// A character is not allowed in a name.
    #[error(
        "the crate name {} contains {character:?}: only ASCII letters, digits, `-` and `_` are allowed",
        Excerpt(.name)
    )]
    Character {
        /// The name.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// The name is reserved.
    #[error("the crate name `{name}` is reserved {by}: choose another name")]
    Reserved {
        /// The name.
        name: CrateName,
        /// What reserves it.
        by: &'static str,
    },
}

/// The form in which names, and beginnings of names, are compared: lower case, with `_` for `-`.
pub fn canonical(text: &str) -> String {
    text.to_ascii_lowercase().replace('-', "_")
}

impl CrateName {
    /// The name in its own spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which names are unique: lower case, with `_` for `-`.
    pub fn canonical(&self) -> String {
        canonical(&self.0)
    }

    /// Whether new crates must not use this name.
    pub fn is_reserved(&self) -> bool {
        self.check_not_reserved().is_err()
    }

    /// Refuses a reserved name.
    ///
    /// # Errors
    ///
    /// [`NameError::Reserved`].
    pub fn check_not_reserved(&self) -> Result<(), NameError> {
        let canonical = self.canonical();
        let by = if RESERVED_BY_RUST.contains(&canonical.as_str()) {
            "by Rust"
        } else if RESERVED_BY_WINDOWS.contains(&canonical.as_str()) {
            "as the name of a device on Windows"
        } else {
            return Ok(());
        };
        Err(NameError::Reserved { name: self.clone(), by })
    }
}

impl FromStr for CrateName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let Some(first) = name.chars().next() else {
            return Err(NameError::Empty);
        };
        let length = name.chars().count();
        if length > MAX_LENGTH {
            return Err(NameError::TooLong { name: name.to_owned(), length });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if let Some(character) = name.chars().find(|&c| !allowed(c)) {
            return Err(NameError::Character { name: name.to_owned(), character });
        }
        if !first.is_ascii_alphabetic() {
            return Err(NameError::FirstCharacter { name: name.to_owned() });
        }
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for CrateName {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, NameError> {
        name.parse()
    }
}

impl From<CrateName> for String {
    fn from(name: CrateName) -> Self {
        name.0
    }
}

impl AsRef<str> for CrateName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CrateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{CrateName, NameError};

    fn error(name: &str) -> String {
        name.parse::<CrateName>().unwrap_err().to_string()
    }

    #[test]
    fn a_name_of_letters_digits_hyphens_and_underscores_keeps_its_spelling() {
        for name in ["a", "Z", "serde", "proc-macro2", "A_b-C9", &"x".repeat(64)] {
            assert_eq!(name.parse::<CrateName>().unwrap().as_str(), name);
        }
    }

    // rule: 4
    #[test]
    fn two_spellings_have_one_canonical_form() {
        let canonical = |name: &str| name.parse::<CrateName>().unwrap().canonical();
        assert_eq!(canonical("Proc-Macro_2"), "proc_macro_2");
        assert_eq!(canonical("Foo-Bar"), canonical("foo_bar"));
    }

    // rule: 3
    // protocol: 58
    #[test]
    fn what_is_no_name_is_refused_naming_the_value() {
        insta::assert_snapshot!(error(""), @"the crate name is empty: set `name` in the `[package]` section of Cargo.toml");
        insta::assert_snapshot!(error("1st"), @"the crate name `1st` does not start with a letter: choose one that starts with a letter from a to z");
        insta::assert_snapshot!(error("foo bar"), @"the crate name `foo bar` contains ' ': only ASCII letters, digits, `-` and `_` are allowed");
        insta::assert_snapshot!(error("a::b"), @"the crate name `a::b` contains ':': only ASCII letters, digits, `-` and `_` are allowed");
        insta::assert_snapshot!(error("naïve"), @"the crate name `naïve` contains 'ï': only ASCII letters, digits, `-` and `_` are allowed");
        assert!(error(&"x".repeat(65)).contains("has 65 characters: choose one of at most 64"));
        for name in ["_a", "-a", "../a", "a/b", "a.b", "a\0"] {
            assert!(name.parse::<CrateName>().is_err(), "{name:?}");
        }
    }

    // rule: 3
    // protocol: 33
    #[test]
    fn a_reserved_name_is_a_name_but_not_for_a_new_crate() {
        for name in ["std", "Core", "proc-macro", "nul", "CON", "com1"] {
            let name: CrateName = name.parse().unwrap();
            assert!(name.is_reserved(), "{name}");
            assert!(matches!(name.check_not_reserved(), Err(NameError::Reserved { .. })));
        }
        assert!(!"serde".parse::<CrateName>().unwrap().is_reserved());
        assert!(!"download".parse::<CrateName>().unwrap().is_reserved());
    }

    #[test]
    fn an_invalid_name_cannot_enter_through_json() {
        assert!(serde_json::from_str::<CrateName>("\"a/b\"").is_err());
        assert_eq!(serde_json::to_string(&"ab".parse::<CrateName>().unwrap()).unwrap(), "\"ab\"");
    }
}
