//! Keeping the repository quick.
//!
//! Each batch adds a pack, and each pack is one more place to look for an object: after a thousand the writer takes
//! five times as long. So the small packs are merged when there are too many of them, geometrically: each pack that
//! stays has at least twice the objects of the next smaller one, and the work for a commit stays logarithmic. The git
//! program does it; objects only change their packs, none is dropped.
//!
//! Merging goes on beside the writer, so that no publish waits for it. That is safe because a geometric repack asks for
//! no reachability: it takes every object of the packs it chose at its start, referred to or not, and removes just those
//! packs; one that is written meanwhile, its branch not moved yet, is none of them. Only [`Writer::consolidate`] drops
//! what nothing refers to, and so keeps the writer out. Readers go on in both cases: the old packs are removed after the
//! new one is in place, and a reader that lost one opens the repository again.
//! No multi-pack-index is written: it would name packs that are gone after the next repack, and the few packs that
//! are left here don't need one.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use super::error::IndexError;
use super::repository::Index;

/// The file whose lock a repack holds.
const LOCK: &str = "supercargo-maintenance.lock";

/// So many packs are left alone.
const MAX_PACKS: usize = 50;

/// So many objects outside packs are left alone. This program writes none; an operator's git may.
const MAX_LOOSE: usize = 100;

/// The most time for merging packs. Measured: 1.5 s for 1,000 small ones.
pub const REPACK_LIMIT: Duration = Duration::from_secs(50);

/// What maintenance found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintenance {
    /// Whether packs were merged.
    pub repacked: bool,
    /// Packs before.
    pub packs_before: usize,
    /// Packs afterwards.
    pub packs_after: usize,
    /// Objects outside packs before; none are left after a repack.
    pub loose_before: usize,
}

/// The right to repack, held until dropped.
#[derive(Debug)]
pub struct Maintainer {
    index: Index,
    lock: File,
}

impl Maintainer {
    /// Merges packs when there are too many; otherwise it only counts them.
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
    /// Locks the index for repacking, waiting until no other repack runs. The lock is released when the [`Maintainer`] is
    /// dropped or the process ends.
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
