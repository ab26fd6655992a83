//! Packages of trusted publishers that were made from another commit than their ID token names.

use std::fmt;

use super::super::vcs_info::VcsInfo;

/// How the commit of a package is not that of the ID token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ID token is of the commit {expected}, {found}: publish from a clean checkout of that commit")]
pub struct OtherCommit {
    /// The commit of the ID token.
    pub expected: String,
    /// What the package says.
    pub found: Found,
}

/// What a package says of its commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It has no `.cargo_vcs_info.json`, or one that cargo did not write.
    Nothing,
    /// Another one.
    Commit(String),
    /// That one, with changes that were not committed.
    Dirty,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("and the package names none in .cargo_vcs_info.json"),
            Self::Commit(commit) => write!(f, "and the package names {commit} in .cargo_vcs_info.json"),
            Self::Dirty => f.write_str("and the package has changes that were not committed"),
        }
    }
}

/// Compares the commit of an ID token with that of a package.
pub(super) fn compare(expected: &str, found: Option<&VcsInfo>) -> Option<OtherCommit> {
    let found = match found {
        None => Found::Nothing,
        Some(info) if !info.commit.eq_ignore_ascii_case(expected) => Found::Commit(info.commit.clone()),
        Some(info) if info.is_dirty => Found::Dirty,
        Some(_) => return None,
    };
    Some(OtherCommit { expected: expected.to_owned(), found })
}
