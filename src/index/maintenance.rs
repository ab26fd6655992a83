//! Merging packs.
//!
//! Each batch adds a pack, and each pack slows the search for an object: with a thousand packs a commit takes five
//! times as long. When there are too many small packs, they are merged geometrically: each remaining pack has at least
//! twice the objects of the next smaller one, so the work for a commit stays logarithmic. The git program does the
//! merging; it moves objects and drops none.
//!
//! Packs are merged while the writer works, so no publish waits. That is safe because a geometric repack does not
//! depend on reachability: it merges every object of the packs that it selected at its start and removes only those
//! packs. A pack that is written meanwhile, before the branch refers to it, is not among them. `git repack -a -d` would
//! drop unreachable objects and would have to lock out the writer; interrupted pushes leave too few of them to be worth
//! that. Readers continue as well: the old packs are removed after the new one is in place, and a reader that misses
//! one opens the repository again.
//!
//! No multi-pack-index is written: it would name packs that the next repack removes, and the few remaining packs do not
//! need one.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use super::error::IndexError;
use super::repository::Index;

/// The file whose lock a repack holds.
const LOCK: &str = "supercargo-maintenance.lock";

/// The most packs that are not merged.
const MAX_PACKS: usize = 50;

/// The most loose objects that are not packed. This program writes none; an operator's git may.
const MAX_LOOSE: usize = 100;

/// The time limit for merging packs. Measured: 1.5 s for 1,000 small ones.
pub const REPACK_LIMIT: Duration = Duration::from_secs(50);

/// The result of maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintenance {
    /// Whether packs were merged.
    pub repacked: bool,
    /// The number of packs before.
    pub packs_before: usize,
    /// The number of packs afterwards.
    pub packs_after: usize,
    /// The number of loose objects before. None are left after a repack.
    pub loose_before: usize,
}

/// The holder of the maintenance lock, which is released when this is dropped.
#[derive(Debug)]
pub struct Maintainer {
    index: Index,
    lock: File,
}

impl Maintainer {
    /// Merges packs if there are too many; otherwise only counts them.
    pub fn maintain(&self) -> Result<Maintenance, IndexError> {
        let (packs, loose) = self.index.count()?;
        if !too_many(packs, loose) {
            return Ok(Maintenance { repacked: false, packs_before: packs, packs_after: packs, loose_before: loose });
        }
        self.index.repack(&["repack", "-d", "-q", "--geometric=2"], &self.lock, REPACK_LIMIT)
    }
}

fn too_many(packs: usize, loose: usize) -> bool {
    packs > MAX_PACKS || loose > MAX_LOOSE
}

impl Index {
    /// Locks the index for repacking, waiting until no other repack runs. The lock is released when the [`Maintainer`]
    /// is dropped or the process ends.
    pub fn lock_maintenance(&self) -> Result<Maintainer, IndexError> {
        Ok(Maintainer { index: self.clone(), lock: self.lock(LOCK)? })
    }

    /// Locks the index for repacking; `None` if another repack runs.
    pub fn try_lock_maintenance(&self) -> Result<Option<Maintainer>, IndexError> {
        Ok(self.try_lock(LOCK)?.map(|lock| Maintainer { index: self.clone(), lock }))
    }

    /// Whether [`Maintainer::maintain`] would repack. Takes microseconds.
    pub fn needs_maintenance(&self) -> Result<bool, IndexError> {
        self.count().map(|(packs, loose)| too_many(packs, loose))
    }

    fn repack(&self, arguments: &[&str], lock: &File, limit: Duration) -> Result<Maintenance, IndexError> {
        let (packs_before, loose_before) = self.count()?;
        let done = self.git().run(self.path(), arguments, lock, limit);
        self.forget_handles();
        done?;
        let (packs_after, _) = self.count()?;
        Ok(Maintenance { repacked: true, packs_before, packs_after, loose_before })
    }

    fn count(&self) -> Result<(usize, usize), IndexError> {
        let objects = self.path().join("objects");
        let mut loose = 0;
        for directory in names(&objects)?.iter().filter(|name| name.len() == 2) {
            loose += names(&objects.join(directory))?.len();
        }
        let packs = names(&objects.join("pack"))?.iter().filter(|name| name.ends_with(".pack")).count();
        Ok((packs, loose))
    }
}

fn names(directory: &Path) -> Result<Vec<String>, IndexError> {
    fs::read_dir(directory)
        .and_then(|listing| listing.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect())
        .map_err(IndexError::file("list", directory))
}
