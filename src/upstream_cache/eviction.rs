//! What is removed of the kept crate files, so that they have no more than a number of bytes: those that were not used for longest.

use std::fs::File;
use std::time::SystemTime;

use crate::crate_store::{CrateStore, CrateStoreError, StoredFile};
use crate::package::Checksum;

/// What a run removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Files and bytes that were removed.
    pub files: usize,
    pub bytes: u64,
    /// The bytes that are left.
    pub left: u64,
}

/// Removes files until at most `limit` bytes are left. In a directory the order is that of their use, in a bucket that of their
/// writing. A file that is sent at this moment is sent to its end.
pub fn run(store: &CrateStore, limit: u64) -> Result<Evicted, CrateStoreError> {
    let mut files = Vec::new();
    for byte in 0..=u8::MAX {
        files.extend(store.list(byte)?.into_iter().filter(|file| file.checksum.is_some()));
    }
    files.sort_by_key(|file| file.modified);
    let mut evicted = Evicted { left: files.iter().map(|file| file.size).sum(), ..Evicted::default() };
    for StoredFile { checksum, size, .. } in files {
        if evicted.left <= limit {
            break;
        }
        let Some(checksum) = checksum else { continue };
        store.delete(checksum)?;
        evicted = Evicted { files: evicted.files + 1, bytes: evicted.bytes + size, left: evicted.left - size };
    }
    Ok(evicted)
}

/// Notes that a file was used, in a directory.
pub fn touch(store: &CrateStore, checksum: Checksum) {
    let Some(path) = store.local_path(checksum) else { return };
    let touched = File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = touched {
        tracing::debug!(path = %path.display(), %error, "cannot note that a kept crate file was used");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_was_not_used_for_longest_is_removed_first() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        let kept: Vec<Checksum> = (0..4u8)
            .map(|number| {
                let content = vec![number; 100];
                let checksum = Checksum::of(&content);
                store.put(checksum, Bytes::from(content)).unwrap();
                let file = File::options().append(true).open(store.local_path(checksum).unwrap()).unwrap();
                file.set_modified(long_ago + Duration::from_secs(u64::from(number))).unwrap();
                checksum
            })
            .collect();
        assert_eq!(run(&store, 400).unwrap(), Evicted { files: 0, bytes: 0, left: 400 });
        touch(&store, kept[0]);
        assert_eq!(run(&store, 250).unwrap(), Evicted { files: 2, bytes: 200, left: 200 });
        let has = |place: usize| store.contains(kept[place]).unwrap();
        assert_eq!([has(0), has(1), has(2), has(3)], [true, false, false, true]);
    }
}
