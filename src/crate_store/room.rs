//! Room on the disk of a local store. Publishes are refused before the disk is full, so that the database and the index,
//! which often share it, can go on: yanks, logins and revocations need room as well.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::{CrateStore, CrateStoreError, Place};

/// What publishes leave free: a twentieth of the file system, but no more than this, in bytes.
const MOST_RESERVED: u64 = 1 << 30;

impl CrateStore {
    /// Refuses a file of this size, in bytes, if too little would be left. A bucket has no such limit.
    pub fn check_room(&self, size: u64) -> Result<(), CrateStoreError> {
        let Place::Directory(directory) = &self.place else { return Ok(()) };
        // A disk that can't be looked at is found out about by the write.
        let Some((all, available)) = disk_of(directory) else { return Ok(()) };
        let reserve = reserve_of(all);
        if available.saturating_sub(size) >= reserve {
            return Ok(());
        }
        Err(CrateStoreError::Full { directory: directory.to_path_buf(), available, reserve })
    }
}

fn reserve_of(all: u64) -> u64 {
    (all / 20).min(MOST_RESERVED)
}

/// The size of the file system, and what others than root may still use of it, in bytes.
fn disk_of(directory: &Path) -> Option<(u64, u64)> {
    let found = statvfs(directory).ok()?;
    let unit = found.fragment_size();
    Some((found.blocks() * unit, found.blocks_available() * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_refused_that_would_take_the_reserve() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let (_, available) = disk_of(directory.path()).unwrap();
        let refused = store.check_room(available).unwrap_err();
        assert!(matches!(refused, CrateStoreError::Full { .. }), "{refused}");
        assert_eq!((reserve_of(200 << 20), reserve_of(1 << 50)), (10 << 20, 1 << 30));
    }
}
