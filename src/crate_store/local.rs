//! Unfinished files of interrupted writes to a local store.
//!
//! A file is written beside its final name, as `NAME.crate#N` ([`writing`](super::writing)). The object store lists no file
//! of that name, so everything about those that are left is here.

use std::fs;
use std::io;

use chrono::{DateTime, Utc};

use super::directories::{QUARANTINE, unfinished};
use super::quarantine::place_at;
use super::stored_file::StoredFile;
use super::{CrateStore, CrateStoreError, Failure, Place};

impl CrateStore {
    /// The unfinished files in the directory of this byte, in the order of their names. A bucket has none.
    pub fn list_unfinished(&self, first_byte: u8) -> Result<Vec<StoredFile>, CrateStoreError> {
        let Place::Directory(root) = &self.place else { return Ok(Vec::new()) };
        let name = format!("{first_byte:02x}");
        let mut files = unfinished(root, &name).map_err(failed(&name))?;
        files.sort_by(|one, other| one.location.cmp(&other.location));
        Ok(files)
    }

    /// Moves an unfinished file to the quarantine and returns its new location; a file that is gone is no error. `when`
    /// is part of its new name.
    pub fn quarantine_unfinished(&self, location: &str, when: DateTime<Utc>) -> Result<String, CrateStoreError> {
        // A path of the store would have `#` percent-encoded.
        let name = location.rsplit('/').next().unwrap_or(location).replace('#', "-part-");
        let target = place_at(when, &name).to_string();
        let Place::Directory(root) = &self.place else { return Ok(target) };
        fs::create_dir_all(root.join(QUARANTINE)).map_err(failed(QUARANTINE))?;
        match fs::rename(root.join(location), root.join(&target)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(location)(error)),
            _ => Ok(target),
        }
    }
}

pub(super) fn failed(what: &str) -> impl FnOnce(io::Error) -> CrateStoreError {
    move |error| CrateStoreError::Failed { what: what.to_owned(), failure: Failure::Other(error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Checksum;

    #[test]
    fn unfinished_files_are_listed_and_moved_to_the_quarantine() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let checksum = Checksum::of(b"content");
        let (first, location) = (checksum.as_bytes()[0], format!("{}#1", CrateStore::place(checksum)));
        fs::write(directory.path().join(&location), b"con").unwrap();
        let listed = store.list_unfinished(first).unwrap();
        assert_eq!(listed.iter().map(|file| (&*file.location, file.size)).collect::<Vec<_>>(), [(&*location, 3)]);
        assert_eq!(store.list_unfinished(first.wrapping_add(1)).unwrap(), []);
        let moved = store.quarantine_unfinished(&location, Utc::now()).unwrap();
        assert_eq!(fs::read(directory.path().join(&moved)).unwrap(), b"con");
        assert_eq!(store.list_unfinished(first).unwrap(), []);
        store.quarantine_unfinished(&location, Utc::now()).unwrap();
        let expired = store.empty_quarantine(Utc::now()).unwrap();
        assert_eq!(expired.iter().map(|file| &file.location).collect::<Vec<_>>(), [&moved]);
    }
}
