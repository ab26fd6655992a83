//! Merging packs.
//!
//! Each batch adds a pack, and each pack slows the search for an object: with a thousand packs a commit takes five
//! times as long. When there are too many, the small ones are merged geometrically: each remaining pack is at least
//! twice as large as the smaller ones together, so the work for a commit stays logarithmic. This program merges small packs
//! itself, in milliseconds. When many have grown large, the git program merges those and looks for more deltas.
//!
//! Packs are merged while the writer works, so no publish waits. That is safe because a merge does not depend on
//! reachability: it takes every object of the packs that it selected at its start and removes only those packs. A pack
//! that is written meanwhile is not among them, nor one with a `.keep` file, which a pack has until the branch refers to it.
//! Readers continue as well: the old packs are removed after the new one is in place, and a reader that misses one opens
//! the repository again.
//!
//! No multi-pack-index is written: it would name packs that the next repack removes, and the few remaining packs do not
//! need one.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use super::error::IndexError;
use super::packs::{Source, merge, mergeable};
use super::repository::Index;

/// The file whose lock a repack holds.
const LOCK: &str = "supercargo-maintenance.lock";

/// The most packs that are not merged.
const MAX_PACKS: usize = 50;

/// The most loose objects that are not packed. This program writes none; an operator's git may.
const MAX_LOOSE: usize = 100;

/// The most bytes that this program merges at once, in memory. Larger packs are left to git.
const MAX_MERGED: u64 = 32 * 1024 * 1024;

/// The most large packs that are left alone.
const MAX_LARGE: usize = 16;

/// How many packs are added before a count of them is repeated that found too many. By then they have been merged.
const PATIENCE: usize = 10;

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

fn too_many(packs: usize, loose: usize) -> bool {
    packs > MAX_PACKS || loose > MAX_LOOSE
}

impl Maintainer {
    /// Merges packs if there are too many; otherwise only counts them.
    pub fn maintain(&self) -> Result<Maintenance, IndexError> {
        let (packs_before, loose_before) = self.index.count()?;
        let unchanged = Maintenance { repacked: false, packs_before, packs_after: packs_before, loose_before };
        if !too_many(packs_before, loose_before) {
            return Ok(unchanged);
        }
        let small = self.small_packs()?;
        if loose_before > MAX_LOOSE || small.len() < 2 || !self.merge(&small) {
            self.repack()?;
        }
        let (packs_after, _) = self.index.count()?;
        self.index.packs().allow((MAX_PACKS + 1).saturating_sub(packs_after).max(1));
        Ok(Maintenance { repacked: true, packs_after, ..unchanged })
    }

    /// The packs that this program merges. None if too many large ones are beside them.
    fn small_packs(&self) -> Result<Vec<Source>, IndexError> {
        let packs = self.index.path().join("objects/pack");
        let sources = mergeable(&packs).map_err(IndexError::file("list", &packs))?;
        let large = sources.iter().filter(|source| source.size > MAX_MERGED / 2).count();
        Ok(if large > MAX_LARGE { Vec::new() } else { chosen(sources) })
    }

    /// Merges packs here; false if one is in a form that only git reads, or is damaged, which git reports.
    fn merge(&self, sources: &[Source]) -> bool {
        let packs = self.index.path().join("objects/pack");
        let merged = merge(&packs, sources);
        self.index.forget_handles();
        if let Err(error) = &merged {
            tracing::debug!(%error, "packs are merged by git");
        }
        merged.is_ok()
    }

    fn repack(&self) -> Result<(), IndexError> {
        let arguments = ["repack", "-d", "-q", "--geometric=2"];
        let done = self.index.git().run(self.index.path(), &arguments, &self.lock, REPACK_LIMIT);
        self.index.forget_handles();
        done
    }
}

/// The packs to merge: the smallest ones, until the next is at least twice as large as all of them. In the order given.
fn chosen(sources: Vec<Source>) -> Vec<Source> {
    let mut by_size: Vec<usize> = (0..sources.len()).collect();
    by_size.sort_by_key(|&place| sources[place].size);
    let mut sum = 0;
    let few = by_size.iter().enumerate().take_while(|&(number, &place)| {
        let size = sources[place].size;
        let is_small = sum + size <= MAX_MERGED && (number < 2 || size < 2 * sum);
        sum += size;
        is_small
    });
    let mut few: Vec<usize> = few.map(|(_, &place)| place).collect();
    few.sort_unstable();
    few.into_iter().map(|place| sources[place].clone()).collect()
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

    /// Whether [`Maintainer::maintain`] would merge packs. Usually takes no look at the disk.
    pub fn needs_maintenance(&self) -> Result<bool, IndexError> {
        if self.packs().is_low() {
            return Ok(false);
        }
        let (packs, loose) = self.count()?;
        let needs = too_many(packs, loose);
        self.packs().allow(if needs { PATIENCE } else { MAX_PACKS + 1 - packs });
        Ok(needs)
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
