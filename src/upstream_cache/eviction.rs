//! What is removed of the kept crate files, so that they have no more than a number of bytes: those that were not used for longest,
//! and are not pinned.

use std::collections::HashSet;
use std::fs::File;
use std::time::SystemTime;

use diesel::Connection;

use crate::crate_store::{CrateStore, CrateStoreError, StoredFile};
use crate::database::{Pool, PoolError, upstream_pins};
use crate::package::Checksum;

/// How many files are removed at most while nothing can be pinned.
const AT_ONCE: usize = 100;

/// What a run removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Files and bytes that were removed.
    pub files: usize,
    pub bytes: u64,
    /// The bytes that are left, and those of them that are pinned.
    pub left: u64,
    pub pinned: u64,
}

/// Why files were not removed.
#[derive(Debug, thiserror::Error)]
pub enum EvictionError {
    #[error(transparent)]
    Store(#[from] CrateStoreError),
    #[error("the pins cannot be read")]
    Pins(#[from] diesel::result::Error),
    #[error("the pins cannot be read")]
    Pool(#[from] PoolError),
}

/// Removes files until at most `limit` bytes are left, or only pinned ones. In a directory the order is that of their use, in a
/// bucket that of their writing. A file that is sent at this moment is sent to its end. Without the pins nothing is removed.
pub fn run(store: &CrateStore, limit: u64, pool: &Pool) -> Result<Evicted, EvictionError> {
    let (victims, mut evicted) = find(store, limit, pool)?;
    for some in victims.chunks(AT_ONCE) {
        pool.with(|connection| connection.transaction(|connection| remove(connection, store, some, &mut evicted)))??;
    }
    Ok(evicted)
}

/// The bytes that are kept, and those of them that are pinned.
pub fn sizes(store: &CrateStore, pool: &Pool) -> Result<Evicted, EvictionError> {
    Ok(find(store, u64::MAX, pool)?.1)
}

fn find(store: &CrateStore, limit: u64, pool: &Pool) -> Result<(Vec<(Checksum, u64)>, Evicted), EvictionError> {
    let mut files = Vec::new();
    for byte in 0..=u8::MAX {
        files.extend(store.list(byte)?.into_iter().filter(|file| file.checksum.is_some()));
    }
    let pinned = pool.with(upstream_pins::checksums)??;
    Ok(victims(files, limit, &pinned))
}

/// Removes files that were not pinned meanwhile.
fn remove(
    connection: &mut diesel::PgConnection,
    store: &CrateStore,
    files: &[(Checksum, u64)],
    evicted: &mut Evicted,
) -> Result<(), EvictionError> {
    let checksums: Vec<Checksum> = files.iter().map(|(checksum, _)| *checksum).collect();
    let pinned = upstream_pins::pinned_among(connection, &checksums)?;
    for (checksum, size) in files.iter().filter(|(checksum, _)| !pinned.contains(checksum)) {
        store.delete(*checksum)?;
        evicted.files += 1;
        evicted.bytes += size;
        evicted.left -= size;
    }
    Ok(())
}

/// The files to remove, and what there is before.
fn victims(mut files: Vec<StoredFile>, limit: u64, pinned: &HashSet<Checksum>) -> (Vec<(Checksum, u64)>, Evicted) {
    files.sort_by_key(|file| file.modified);
    let is_pinned = |file: &StoredFile| file.checksum.is_some_and(|checksum| pinned.contains(&checksum));
    let mut evicted = Evicted { left: files.iter().map(|file| file.size).sum(), ..Evicted::default() };
    evicted.pinned = files.iter().filter(|file| is_pinned(file)).map(|file| file.size).sum();
    let (mut left, mut victims) = (evicted.left, Vec::new());
    for file in files.iter().filter(|file| !is_pinned(file)) {
        if left <= limit {
            break;
        }
        let Some(checksum) = file.checksum else { continue };
        left -= file.size;
        victims.push((checksum, file.size));
    }
    (victims, evicted)
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
    use chrono::{TimeDelta, Utc};

    use super::*;

    fn file(number: u8) -> StoredFile {
        let checksum = Checksum::of(&[number]);
        StoredFile {
            location: CrateStore::place(checksum),
            checksum: Some(checksum),
            size: 100,
            modified: Utc::now() - TimeDelta::hours(1) + TimeDelta::seconds(i64::from(number)),
        }
    }

    #[test]
    fn what_was_not_used_for_longest_is_removed_first_and_what_is_pinned_never() {
        // In another order than that of their use.
        let files = || [2, 0, 3, 1].map(file).to_vec();
        let of = |limit: u64, pinned: &[u8]| {
            let pinned = pinned.iter().map(|number| Checksum::of(&[*number])).collect();
            let (victims, before) = victims(files(), limit, &pinned);
            let numbers = (0..4).filter(|number| victims.iter().any(|(one, _)| *one == Checksum::of(&[*number])));
            (numbers.collect::<Vec<u8>>(), before.left, before.pinned)
        };
        assert_eq!(of(400, &[]), (vec![], 400, 0));
        assert_eq!(of(250, &[]), (vec![0, 1], 400, 0));
        assert_eq!(of(250, &[0]), (vec![1, 2], 400, 100));
        assert_eq!(of(0, &[0, 3]), (vec![1, 2], 400, 200));
        assert_eq!(of(0, &[0, 1, 2, 3]), (vec![], 400, 400));
    }
}
