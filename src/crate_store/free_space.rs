//! The free space that a local store leaves. Publishes are rejected before the disk is full so that the database and
//! the index, which often share it, keep working: yanks, logins and revocations need space as well.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::{CrateStore, CrateStoreError, Place};

/// Publishes leave a twentieth of the file system free, but no more than this, in bytes.
const MOST_RESERVED: u64 = 1 << 30;

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
        let Some((total, available)) = disk_space(directory) else { return Ok(()) };
        let reserve = reserve_of(total);
        if available.saturating_sub(size) >= reserve {
            return Ok(());
        }
        Err(CrateStoreError::Full { directory: directory.to_path_buf(), available, reserve })
    }
}

fn reserve_of(total: u64) -> u64 {
    (total / 20).min(MOST_RESERVED)
}

/// The size of the file system and the space that is available without root's reserve, in bytes.
pub fn disk_space(directory: &Path) -> Option<(u64, u64)> {
    let found = statvfs(directory).ok()?;
    let unit = found.fragment_size();
    Some((found.blocks() * unit, found.blocks_available() * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_would_need_the_reserve_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let (_, available) = disk_space(directory.path()).unwrap();
        let rejected = store.check_free_space(available).unwrap_err();
        assert!(matches!(rejected, CrateStoreError::Full { .. }), "{rejected}");
        assert_eq!((reserve_of(200 << 20), reserve_of(1 << 50)), (10 << 20, 1 << 30));
    }
}
