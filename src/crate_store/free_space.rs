//! The free space that a local store leaves. Publishes are rejected before the disk is full so that the database and
//! the index, which often share it, keep working: yanks, logins and revocations need space as well.

use std::path::Path;

use super::{CrateStore, CrateStoreError, Place};
use crate::full_disk::Space;

/// Publishes leave a twentieth of the file system free, but no more than this, in bytes.
const MOST_RESERVED: u64 = 1 << 30;

/// The space of a local store's file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// In bytes.
    pub available: u64,
    /// What publishes leave free, in bytes.
    pub reserve: u64,
    has_inodes: bool,
}

impl FreeSpace {
    /// The space of a directory; `None` if it cannot be examined.
    pub fn of(directory: &Path) -> Option<Self> {
        let Space { total, available, has_inodes } = Space::of(directory)?;
        Some(Self { available, reserve: reserve_of(total), has_inodes })
    }

    /// Whether a file of `size` bytes is accepted.
    pub fn admits(self, size: u64) -> bool {
        self.available.saturating_sub(size) >= self.reserve && self.has_inodes
    }
}

impl CrateStore {
    /// The local directory; None for a bucket.
    pub fn directory(&self) -> Option<&Path> {
        match &self.place {
            Place::Directory(directory) => Some(directory),
            Place::Bucket(..) => None,
        }
    }

    /// Checks that enough space stays free after a file of `size` bytes. A bucket has no such limit.
    pub fn check_free_space(&self, size: u64) -> Result<(), CrateStoreError> {
        let Place::Directory(directory) = &self.place else { return Ok(()) };
        // If the disk cannot be examined, the write reports its error.
        let Some(found) = FreeSpace::of(directory) else { return Ok(()) };
        if found.admits(size) {
            return Ok(());
        }
        let FreeSpace { available, reserve, .. } = found;
        Err(CrateStoreError::Full { directory: directory.to_path_buf(), available, reserve })
    }
}

fn reserve_of(total: u64) -> u64 {
    (total / 20).min(MOST_RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_would_need_the_reserve_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let available = FreeSpace::of(directory.path()).unwrap().available;
        let rejected = store.check_free_space(available).unwrap_err();
        assert!(matches!(rejected, CrateStoreError::Full { .. }), "{rejected}");
        assert_eq!((reserve_of(200 << 20), reserve_of(1 << 50)), (10 << 20, 1 << 30));
    }

    #[test]
    fn nothing_is_accepted_without_inodes() {
        let space = |has_inodes| FreeSpace { available: 100, reserve: 10, has_inodes };
        assert!(space(true).admits(90) && !space(true).admits(91) && !space(false).admits(1));
    }
}
