//! The path of one entry, with the checks that need no other entry.

use super::super::characters::{self, HiddenCharacter};
use super::portability;

/// Characters that cargo refuses in file names when it packages, because Windows cannot store them. The slash is missing,
/// since it separates components.
const REFUSED: [char; 8] = ['\\', '<', '>', ':', '"', '|', '?', '*'];

/// Bytes of one component. Common file systems allow no more.
const MAX_COMPONENT: usize = 255;

/// A file that cargo creates after unpacking a package. cargo excludes files of this name in any directory.
const MADE_BY_CARGO: &str = ".cargo-ok";

/// A relative path of at least one component, without a trailing slash.
pub struct EntryPath(String);

/// Why some systems cannot unpack a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// The problem, as the end of a sentence.
    #[error("{0}")]
    Form(&'static str),
    /// A component that no common file system can hold.
    #[error("has a component of more than {MAX_COMPONENT} bytes")]
    Component,
    /// A hidden character.
    #[error("contains {0}")]
    Hidden(HiddenCharacter),
}

impl EntryPath {
    /// Parses the bytes of a path of at most `max` bytes. A directory may end in one slash.
    pub fn parse(bytes: &[u8], is_directory: bool, max: usize) -> Result<Self, PathProblem> {
        let form = |problem| Err(PathProblem::Form(problem));
        if bytes.len() > max {
            return form("is too long");
        }
        let Ok(path) = std::str::from_utf8(bytes) else {
            return form("is not UTF-8");
        };
        let path = if is_directory { path.strip_suffix('/').unwrap_or(path) } else { path };
        if path.starts_with('/') {
            return form("is absolute");
        }
        for component in path.split('/') {
            match component {
                "" => return form("has an empty component"),
                "." => return form("has `.` as a component"),
                ".." => return form("has `..` as a component"),
                long if long.len() > MAX_COMPONENT => return Err(PathProblem::Component),
                _ => {}
            }
        }
        if path.contains(REFUSED) {
            return form("contains a character that not every file system can hold");
        }
        characters::check_path(path).map_err(PathProblem::Hidden)?;
        Ok(Self(path.to_owned()))
    }

    /// The path below the root directory: empty for the root itself, None for a path outside.
    pub fn under(&self, root: &str) -> Option<&str> {
        let rest = self.0.strip_prefix(root)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }
}

/// Whether a path has a component that some file system treats as the file that cargo creates.
pub fn is_made_by_cargo(path: &str) -> bool {
    path.split('/').any(|component| portability::key(component) == MADE_BY_CARGO)
}

impl From<EntryPath> for String {
    fn from(path: EntryPath) -> Self {
        path.0
    }
}
