//! Where the index is exported to, and what each object there is delivered with.

use std::collections::BTreeMap;
use std::fmt::Write;

use md5::{Digest, Md5};

use super::invalidation::Invalidation;
use crate::crate_store::{Bucket, Object, ObjectHeaders};
use crate::index::{ConfigJson, Oid};
use crate::package::index_path::crate_path;

/// The notes of an object: the blob of the index that it has, the commit that was exported, and the fence of the attempt.
const BLOB: &str = "index-blob";
const COMMIT: &str = "index-commit";
const FENCE: &str = "export-fence";

/// A bucket, and how it is used.
#[derive(Clone)]
pub struct Destination {
    pub bucket: Bucket,
    /// The header Cache-Control of all objects.
    pub cache_control: String,
    pub invalidation: Option<Invalidation>,
}

/// Paths of an export: config.json and the files of crates. Other objects below the prefix are left alone.
pub const PATHS: fn(&str) -> bool = |path| path == ConfigJson::PATH || crate_path(path).is_some();

impl Destination {
    /// The key of its row.
    pub fn key(&self) -> String {
        self.bucket.address()
    }

    /// The headers of the object at a path.
    pub(super) fn headers(&self, path: &str, blob: Oid, (commit, fence): (Oid, i64)) -> ObjectHeaders {
        let content_type = if path == ConfigJson::PATH { "application/json" } else { "text/plain; charset=utf-8" };
        let notes = [(BLOB, blob.to_string()), (COMMIT, commit.to_string()), (FENCE, fence.to_string())];
        ObjectHeaders {
            content_type: content_type.to_owned(),
            cache_control: self.cache_control.clone(),
            notes: notes.into_iter().map(|(name, note)| (name.to_owned(), note)).collect::<BTreeMap<_, _>>(),
        }
    }
}

/// The fence of an object; 0 if it has none.
pub(super) fn fence(object: &Object) -> i64 {
    object.headers.notes.get(FENCE).and_then(|fence| fence.parse().ok()).unwrap_or_default()
}

/// The commit of which an object is.
pub(super) fn commit(object: &Object) -> Option<Oid> {
    object.headers.notes.get(COMMIT).and_then(|commit| commit.parse().ok())
}

/// Whether an object was stored with this blob and is delivered with these headers.
pub(super) fn is_current(object: &Object, (blob, size): (Oid, usize), headers: &ObjectHeaders) -> bool {
    object.headers.notes.get(BLOB).is_some_and(|noted| *noted == blob.to_string())
        && object.size == size as u64
        && object.headers.content_type == headers.content_type
        && object.headers.cache_control == headers.cache_control
}

/// Whether an ETag is the MD5 of a content. If it is not, the content may be right nevertheless: the tag of an encrypted object
/// is something else.
pub(super) fn is_tag_of(e_tag: Option<&str>, content: &[u8]) -> bool {
    e_tag.is_some_and(|tag| tag.trim_matches('"') == md5_of(content))
}

fn md5_of(content: &[u8]) -> String {
    Md5::digest(content).iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digits_of_a_hash_are_those_of_an_e_tag() {
        assert_eq!(super::md5_of(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
    }
}
