//! The path of one entry, after every check that needs no other entry.

/// Characters that cargo refuses in file names when it packages, because Windows can't hold them. The slash is not
/// among them here: it separates components.
const REFUSED: [char; 8] = ['\\', '<', '>', ':', '"', '|', '?', '*'];

/// A relative path of at least one component, without a slash at its end.
pub struct EntryPath(String);

impl EntryPath {
    /// Parses the bytes of a path of at most `max` bytes. A directory may end in one slash.
    pub fn parse(bytes: &[u8], is_directory: bool, max: usize) -> Result<Self, &'static str> {
        if bytes.len() > max {
            return Err("is too long");
        }
        let Ok(path) = std::str::from_utf8(bytes) else {
            return Err("is not UTF-8");
        };
        let path = if is_directory { path.strip_suffix('/').unwrap_or(path) } else { path };
        if path.starts_with('/') {
            return Err("is absolute");
        }
        for component in path.split('/') {
            match component {
                "" => return Err("has an empty component"),
                "." => return Err("has `.` as a component"),
                ".." => return Err("has `..` as a component"),
                _ => {}
            }
        }
        if path.contains(REFUSED) || path.contains('\0') {
            return Err("contains a character that not every file system can hold");
        }
        Ok(Self(path.to_owned()))
    }

    /// What follows the root directory: empty for the root itself, nothing for a path elsewhere.
    pub fn under(&self, root: &str) -> Option<&str> {
        let rest = self.0.strip_prefix(root)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }
}

impl From<EntryPath> for String {
    fn from(path: EntryPath) -> Self {
        path.0
    }
}
