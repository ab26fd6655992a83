//! The path of one entry, after every check that needs no other entry.

use super::super::characters::{self, HiddenCharacter};
use super::portability;

/// Characters that cargo refuses in file names when it packages, because Windows can't hold them. The slash is not
/// among them here: it separates components.
const REFUSED: [char; 8] = ['\\', '<', '>', ':', '"', '|', '?', '*'];

/// Bytes of one component. The usual file systems hold no more.
const MAX_COMPONENT: usize = 255;

/// A file that cargo makes itself when it has unpacked a package. It leaves out files of that name in any directory.
const MADE_BY_CARGO: &str = ".cargo-ok";

/// A relative path of at least one component, without a slash at its end.
pub struct EntryPath(String);

/// Why a path can't be unpacked everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// What the path is or has.
    #[error("{0}")]
    Form(&'static str),
    /// A character that is not seen, or that a terminal obeys.
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
                long if long.len() > MAX_COMPONENT => return form("has a component of more than 255 bytes"),
                _ => {}
            }
        }
        if path.contains(REFUSED) {
            return form("contains a character that not every file system can hold");
        }
        characters::check_path(path).map_err(PathProblem::Hidden)?;
        Ok(Self(path.to_owned()))
    }

    /// What follows the root directory: empty for the root itself, nothing for a path elsewhere.
    pub fn under(&self, root: &str) -> Option<&str> {
        let rest = self.0.strip_prefix(root)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }
}

/// Whether a path has a component that is called like the file that cargo makes itself, on any file system.
pub fn is_made_by_cargo(path: &str) -> bool {
    path.split('/').any(|component| portability::key(component) == MADE_BY_CARGO)
}

impl From<EntryPath> for String {
    fn from(path: EntryPath) -> Self {
        path.0
    }
}
