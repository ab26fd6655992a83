//! The version of a crate.
//!
//! Build metadata is part of a version's text and of the paths inside the tarball, but not of its identity: a registry cannot
//! have both `1.0.7` and `1.0.7+x`, because a lock file could not distinguish them. [`Version::without_build`] is therefore
//! the unique form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::excerpt::Excerpt;

/// The longest version, in characters.
pub const MAX_LENGTH: usize = 150;

/// A SemVer 2.0 version of at most 150 characters.
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
pub struct Version(semver::Version);

/// Why a version is invalid.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// It is not a SemVer version.
    #[error("the version {} is not a SemVer version ({source}): write it as in `1.2.3` or `1.2.3-beta.1`", Excerpt(.version))]
    Syntax {
        /// The version.
        version: String,
        /// The parser's error.
        source: semver::Error,
    },
    /// It has more than [`MAX_LENGTH`] characters.
    #[error("the version {} has {length} characters: shorten it to at most {MAX_LENGTH}", Excerpt(.version))]
    TooLong {
        /// The version.
        version: String,
        /// Its length in characters.
        length: usize,
    },
}

impl Version {
    /// The version without its build metadata: the text that is unique in a crate.
    pub fn without_build(&self) -> String {
        semver::Version { build: semver::BuildMetadata::EMPTY, ..self.0.clone() }.to_string()
    }

    /// Whether the version is a pre-release, such as `1.0.0-beta.1`.
    pub fn is_prerelease(&self) -> bool {
        !self.0.pre.is_empty()
    }

    /// The version as a type of the `semver` crate.
    pub fn as_semver(&self) -> &semver::Version {
        &self.0
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(version: &str) -> Result<Self, VersionError> {
        let length = version.chars().count();
        if length > MAX_LENGTH {
            return Err(VersionError::TooLong { version: version.to_owned(), length });
        }
        version.parse().map(Self).map_err(|source| VersionError::Syntax { version: version.to_owned(), source })
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(version: String) -> Result<Self, VersionError> {
        version.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    fn version(version: &str) -> Version {
        version.parse().unwrap()
    }

    #[test]
    fn versions_are_ordered_by_semver_and_not_by_text() {
        let mut versions = ["1.10.0", "1.9.0", "1.10.0-rc.2", "1.10.0-rc.10"].map(version);
        versions.sort();
        assert_eq!(versions.map(|v| v.to_string()), ["1.9.0", "1.10.0-rc.2", "1.10.0-rc.10", "1.10.0"]);
    }

    // rule: 5
    // protocol: 41
    #[test]
    fn build_metadata_is_shown_but_is_no_part_of_the_identity() {
        assert_eq!(version("1.0.7+x.y").to_string(), "1.0.7+x.y");
        assert_eq!(version("1.0.7-rc.1+x.y").without_build(), "1.0.7-rc.1");
        assert!(version("1.0.7-rc.1").is_prerelease());
        assert!(!version("1.0.7+rc").is_prerelease());
    }

    // rule: 5
    #[test]
    fn what_is_no_version_is_refused_naming_the_value() {
        let error = |version: &str| version.parse::<Version>().unwrap_err().to_string();
        insta::assert_snapshot!(error("1.0"), @"the version `1.0` is not a SemVer version (unexpected end of input while parsing minor version number): write it as in `1.2.3` or `1.2.3-beta.1`");
        assert!(error("01.0.0").contains("`01.0.0`"));
        assert!(error("99999999999999999999.0.0").contains("99999999999999999999"));
        assert!(error(&format!("1.0.0-{}", "x".repeat(145))).contains("has 151 characters"));
        assert!(format!("1.0.0-{}", "x".repeat(144)).parse::<Version>().is_ok());
    }
}
