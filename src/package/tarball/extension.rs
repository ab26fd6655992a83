//! Extension records, which describe the next entry: GNU long names and pax headers.

use std::io::Read;

use tar::{Entry, PaxExtensions};

use super::super::excerpt::Excerpt;
use super::error::{TarballError, unreadable};

/// The size limit of one record. Real records have a few hundred bytes.
const MAX_RECORD: u64 = 64 * 1024;

/// The records about the next entry.
#[derive(Default)]
pub struct Extensions {
    long_name: Option<Vec<u8>>,
    pax: Option<Vec<u8>>,
}

impl Extensions {
    /// Stores the entry if it is a record about the next one; false if it is not.
    pub fn take(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<bool, TarballError> {
        let kind = entry.header().entry_type();
        let slot = if kind.is_gnu_longname() {
            &mut self.long_name
        } else if kind.is_pax_local_extensions() {
            &mut self.pax
        } else {
            return Ok(false);
        };
        if entry.header().as_gnu().is_none() && entry.header().as_ustar().is_none() {
            return Err(refuse("an extension of a header that cannot have one"));
        }
        if slot.is_some() {
            return Err(refuse("two extensions of one kind for one entry"));
        }
        if entry.size() > MAX_RECORD {
            return Err(refuse("an extension of more than 64 KiB"));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(unreadable)?;
        *slot = Some(bytes);
        Ok(true)
    }

    /// The path of the entry, from its records or its header.
    pub fn apply(self, entry: &Entry<'_, impl Read>) -> Result<Vec<u8>, TarballError> {
        let pax_path = self.pax.as_deref().map(|pax| pax_path(pax, entry.size())).transpose()?.flatten();
        let long_name = self.long_name.map(|mut name| {
            if name.last() == Some(&0) {
                name.pop();
            }
            name
        });
        match (long_name, pax_path) {
            (Some(name), Some(path)) if name != path => Err(refuse("two different long names for one entry")),
            (Some(path), _) | (None, Some(path)) => Ok(path),
            (None, None) => Ok(entry.path_bytes().into_owned()),
        }
    }

    /// Checks that no record is left without an entry at the end of the archive.
    pub fn finish(&self) -> Result<(), TarballError> {
        if self.long_name.is_some() || self.pax.is_some() {
            return Err(refuse("an extension at the end, with no entry after it"));
        }
        Ok(())
    }
}

/// The path in a pax header. A size must equal the entry's; times, owners and comments are allowed. Any other key changes the
/// meaning of the entry for some programs and is refused.
fn pax_path(pax: &[u8], size: u64) -> Result<Option<Vec<u8>>, TarballError> {
    let mut path = None;
    let mut read = 0;
    for extension in PaxExtensions::new(pax) {
        let extension = extension.map_err(|_| refuse("a malformed pax header"))?;
        let key = extension.key().map_err(|_| refuse("a pax key that is not UTF-8"))?;
        let value = extension.value_bytes();
        read += record_length(key.len(), value.len());
        let is_sound = match key {
            "path" if path.replace(value.to_vec()).is_some() => return Err(refuse("two paths in one pax header")),
            "size" if value != size.to_string().as_bytes() => {
                return Err(refuse("a pax size that differs from the size in the header"));
            }
            "path" | "size" | "uname" | "gname" | "comment" => true,
            "uid" | "gid" => is_number(value, 9),
            "mtime" | "atime" | "ctime" | "LIBARCHIVE.creationtime" => is_time(value),
            sparse if sparse.starts_with("GNU.sparse.") => return Err(refuse("a sparse file")),
            other => return Err(refuse(&format!("the pax key {}", Excerpt(other)))),
        };
        if !is_sound {
            return Err(refuse(&format!("the pax key {key} with a value that not every program can read")));
        }
    }
    // The iterator stops at an empty line, after which another reader might continue.
    if read != pax.len() {
        return Err(refuse("a malformed pax header"));
    }
    Ok(path)
}

fn is_number(value: &[u8], max_digits: usize) -> bool {
    (1..=max_digits).contains(&value.len()) && value.iter().all(u8::is_ascii_digit)
}

/// Seconds since 1970 with or without a fraction.
fn is_time(value: &[u8]) -> bool {
    let mut parts = value.splitn(2, |&byte| byte == b'.');
    parts.next().is_some_and(|seconds| is_number(seconds, 12)) && parts.next().is_none_or(|part| is_number(part, 9))
}

/// The length of the record `"{length} {key}={value}\n"`, its own length's digits included.
fn record_length(key: usize, value: usize) -> usize {
    let rest = key + value + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    length
}

fn refuse(problem: &str) -> TarballError {
    TarballError::Extension { problem: problem.to_owned() }
}
