//! The files of an archive: where in it each is, and how. The form in the database is JSON, compressed.

use std::io::Read;

use serde::{Deserialize, Serialize};

/// The level of compression: an index of ten thousand files takes some milliseconds.
const LEVEL: i32 = 6;
/// The largest index that is read, in bytes of JSON: far more than the largest number of files has.
const MAX_JSON: u64 = 512 * 1024 * 1024;

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    #[serde(rename = "p")]
    pub path: Box<str>,
    /// The place of its content in the archive, in bytes.
    #[serde(rename = "o")]
    pub offset: u64,
    /// The bytes that it has in the archive.
    #[serde(rename = "c")]
    pub compressed: u64,
    /// Its own bytes.
    #[serde(rename = "s")]
    pub size: u64,
    #[serde(rename = "h")]
    pub crc32: u32,
    /// Whether it is compressed with deflate; otherwise it is in the archive as it is.
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deflated: bool,
}

impl File {
    #[cfg(test)]
    pub fn stored(path: &str, offset: u64, size: u64) -> Self {
        Self { path: path.into(), offset, compressed: size, size, crc32: 0, is_deflated: false }
    }
}

/// The files of an archive, sorted by path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    prefix: Box<str>,
    directory: Box<str>,
    files: Vec<File>,
}

/// The stored form of an index cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the index of an archive of documentation is unreadable: {0}")]
pub struct IndexError(String);

impl Index {
    /// The index of files that are sorted by path, with what their paths begin with, and the directory of the crate below that.
    pub(super) fn new((prefix, directory): (String, String), files: Vec<File>) -> Self {
        Self { prefix: prefix.into(), directory: directory.into(), files }
    }

    /// The directory of the crate.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// The file at a path below the documentation's own top.
    pub fn find(&self, path: &str) -> Option<&File> {
        let place = self.files.binary_search_by(|file| {
            let (begin, rest) = file.path.split_at_checked(self.prefix.len()).unwrap_or((&file.path, ""));
            begin.cmp(&self.prefix).then_with(|| rest.cmp(path))
        });
        self.files.get(place.ok()?)
    }

    /// All files, sorted by path.
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// The memory that it takes, in bytes, about.
    pub fn weight(&self) -> u64 {
        self.files.iter().map(|file| (size_of::<File>() + file.path.len() + 16) as u64).sum()
    }

    /// The form in which it is stored.
    pub fn encode(&self) -> Result<Vec<u8>, IndexError> {
        let json = serde_json::to_vec(self).map_err(|error| IndexError(error.to_string()))?;
        zstd::encode_all(&json[..], LEVEL).map_err(|error| IndexError(error.to_string()))
    }

    /// Reads the form in which it is stored.
    pub fn decode(stored: &[u8]) -> Result<Self, IndexError> {
        let unreadable = |error: &dyn std::fmt::Display| IndexError(error.to_string());
        let decoder = zstd::Decoder::new(stored).map_err(|error| unreadable(&error))?;
        let mut json = Vec::new();
        decoder.take(MAX_JSON).read_to_end(&mut json).map_err(|error| unreadable(&error))?;
        serde_json::from_slice(&json).map_err(|error| unreadable(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(prefix: &str) -> Index {
        let mut files: Vec<File> = ["demo/index.html", "a.js", "demo/a.html"]
            .iter()
            .map(|path| File::stored(&format!("{prefix}{path}"), 7, 9))
            .collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Index::new((prefix.to_owned(), "demo".to_owned()), files)
    }

    #[test]
    fn a_file_is_found_by_its_whole_path_below_the_prefix() {
        for prefix in ["", "doc/", "größe/"] {
            let index = index(prefix);
            assert_eq!(index.find("a.js").map(|file| &*file.path), Some(&*format!("{prefix}a.js")));
            assert!(index.find("demo/index.html").is_some() && index.find("demo/a.html").is_some());
            for missing in ["", "demo", "demo/", "a.j", "a.jss", "doc/a.js", "x"] {
                assert_eq!(index.find(missing), None, "{missing:?}");
            }
        }
    }

    #[test]
    fn an_index_is_stored_and_read() {
        let index = index("doc/");
        let stored = index.encode().unwrap();
        assert_eq!(Index::decode(&stored).unwrap(), index);
        assert!(Index::decode(&stored[..stored.len() - 3]).is_err());
        assert!(Index::decode(b"").is_err());
    }
}
