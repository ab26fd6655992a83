//! Comparison of a bucket with a commit of the index, by a listing.
//!
//! The listing has sizes and ETags. The ETag of S3 is the MD5 of the content, or something else for some kinds of encryption:
//! an object with another one is read.

use std::collections::BTreeMap;

use super::destination::{Destination, PATHS, is_tag_of};
use super::error::ExportError;
use crate::crate_store::Listed;
use crate::index::{Head, Index, Oid};

/// How the bucket may differ at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differs {
    /// There is no object.
    Missing,
    /// Perhaps another content: the object has to be looked at.
    Perhaps,
    /// The index has no such file.
    Foreign,
}

/// The paths at which the bucket differs, or may differ, and the number of files of the index. Objects that are no files of an
/// index are left out.
pub fn compare(
    index: &Index,
    destination: &Destination,
    commit: Oid,
    is_stopped: &dyn Fn() -> bool,
) -> Result<(BTreeMap<String, Differs>, usize), ExportError> {
    let mut listed: BTreeMap<String, Listed> =
        destination.bucket.list(PATHS)?.into_iter().map(|listed| (listed.path.clone(), listed)).collect();
    let head = Head { commit: Some(commit) };
    let mut differing = BTreeMap::new();
    let disk = index.on_disk();
    let files: Vec<String> = disk.files(&head)?.into_iter().map(|(path, _)| path).filter(|path| PATHS(path)).collect();
    for path in &files {
        if is_stopped() {
            return Err(ExportError::Stopped(0));
        }
        let Some(listed) = listed.remove(path) else {
            differing.insert(path.clone(), Differs::Missing);
            continue;
        };
        let content = disk.read(&head, path)?.map(|file| file.content).unwrap_or_default();
        if listed.size != content.len() as u64 || !is_tag_of(listed.e_tag.as_deref(), &content) {
            differing.insert(path.clone(), Differs::Perhaps);
        }
    }
    differing.extend(listed.into_keys().map(|path| (path, Differs::Foreign)));
    Ok((differing, files.len()))
}
