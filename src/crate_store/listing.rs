//! Listing and reading stored files.

use futures_util::{TryFutureExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path as Location;

use super::stored_file::StoredFile;
use super::{CrateStore, CrateStoreError, file, location};
use crate::package::Checksum;

impl CrateStore {
    /// The files whose checksums begin with this byte, in the order of their names.
    pub fn list(&self, first_byte: u8) -> Result<Vec<StoredFile>, CrateStoreError> {
        let prefix = Location::from(format!("{first_byte:02x}"));
        let listed = self.store.list(Some(&prefix)).try_collect::<Vec<_>>();
        let found = self.wait_for(|| format!("the list of {prefix}"), None, listed)?;
        let mut files: Vec<StoredFile> = found
            .into_iter()
            .map(|meta| StoredFile {
                checksum: named(&meta.location),
                location: meta.location.to_string(),
                size: meta.size,
                modified: meta.last_modified,
            })
            .collect();
        files.sort_by(|one, other| one.location.cmp(&other.location));
        Ok(files)
    }

    /// The checksum of a file's content and its size in bytes; `None` if it does not exist.
    pub fn digest(&self, checksum: Checksum) -> Result<Option<(Checksum, u64)>, CrateStoreError> {
        self.copy(checksum, |_| Ok(()))
    }

    /// The content of a file; `None` if it does not exist.
    pub fn read(&self, checksum: Checksum) -> Result<Option<bytes::Bytes>, CrateStoreError> {
        let location = location(checksum);
        self.find(file(checksum), self.store.get(&location).and_then(object_store::GetResult::bytes))
    }

    /// The path of a checksum's file in the store.
    pub fn place(checksum: Checksum) -> String {
        location(checksum).to_string()
    }
}

/// The checksum in a path, if that is the path of the checksum's file.
fn named(path: &Location) -> Option<Checksum> {
    let checksum: Checksum = path.filename()?.strip_suffix(".crate")?.parse().ok()?;
    (location(checksum) == *path).then_some(checksum)
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use bytes::Bytes;

    #[test]
    fn files_are_listed_by_first_byte_and_moved_to_the_quarantine_and_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let checksum = Checksum::of(b"content");
        store.put(checksum, Bytes::from_static(b"content")).unwrap();
        let first = checksum.as_bytes()[0];
        std::fs::write(directory.path().join(format!("{first:02x}/odd.txt")), "odd").unwrap();
        let listed = store.list(first).unwrap();
        assert_eq!(
            listed.iter().map(|file| (file.checksum, file.size)).collect::<Vec<_>>(),
            [(Some(checksum), 7), (None, 3)]
        );
        assert_eq!(store.list(first.wrapping_add(1)).unwrap(), []);
        assert_eq!(store.digest(checksum).unwrap(), Some((checksum, 7)));
        assert_eq!(store.digest(Checksum::of(b"other")).unwrap(), None);
        let moved = store.quarantine(&listed[0].location, Utc::now()).unwrap();
        assert!(moved.starts_with("quarantine/") && directory.path().join(&moved).exists(), "{moved}");
        assert_eq!(store.list(first).unwrap().len(), 1);
        assert_eq!(store.read(checksum).unwrap(), None);
        assert_eq!(store.restore_quarantined(checksum).unwrap(), Some(moved));
        assert_eq!(store.digest(checksum).unwrap(), Some((checksum, 7)));
        assert_eq!(store.restore_quarantined(checksum).unwrap(), None);
    }
}
