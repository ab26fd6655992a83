//! Keeping the repository quick.
//!
//! Each batch adds a pack, and each pack is one more place to look for an object: after a thousand the writer takes
//! five times as long. So the small packs are merged when there are too many of them, geometrically: each pack that
//! stays has at least twice the objects of the next smaller one, and the work for a commit stays logarithmic. The git
//! program does it; objects only change their packs, none is dropped.
//!
//! It runs under the writer's lock, as a pack whose branch hasn't moved yet must not be taken for garbage. Readers go
//! on: the old packs are removed after the new one is in place, and a reader that lost one opens the repository again.
//! No multi-pack-index is written: it would name packs that are gone after the next repack, and the few packs that
//! are left here don't need one.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::error::IndexError;
use super::writer::Writer;

/// So many packs are left alone.
const MAX_PACKS: usize = 50;

/// So many objects outside packs are left alone. This program writes none; an operator's git may.
const MAX_LOOSE: usize = 100;

/// The most time for merging packs. Measured: 1.5 s for 1,000 small ones.
const REPACK_LIMIT: Duration = Duration::from_secs(300);

/// The most time for writing everything as one pack. Measured: under a minute for 200,000 crates.
const CONSOLIDATE_LIMIT: Duration = Duration::from_secs(1800);

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

impl Writer {
    /// Merges packs when there are too many; otherwise it only counts them, which takes microseconds.
    pub fn maintain(&self) -> Result<Maintenance, IndexError> {
        let (packs, loose) = self.count()?;
        if packs <= MAX_PACKS && loose <= MAX_LOOSE {
            return Ok(Maintenance { repacked: false, packs_before: packs, packs_after: packs, loose_before: loose });
        }
        self.repack(&["repack", "-d", "-q", "--geometric=2"], REPACK_LIMIT)
    }

    /// Writes everything as one pack with a bitmap, which makes fresh clones cheap, and drops what nothing refers to.
    /// Takes as long as the repository is big: for a quiet hour.
    pub fn consolidate(&self) -> Result<Maintenance, IndexError> {
        self.repack(&["repack", "-a", "-d", "-b", "-q"], CONSOLIDATE_LIMIT)
    }

    fn repack(&self, arguments: &[&str], limit: Duration) -> Result<Maintenance, IndexError> {
        let (packs_before, loose_before) = self.count()?;
        let done = self.index.git().run(self.index.path(), arguments, &self.lock, limit);
        self.index.forget_handles();
        done?;
        let (packs_after, _) = self.count()?;
        Ok(Maintenance { repacked: true, packs_before, packs_after, loose_before })
    }

    fn count(&self) -> Result<(usize, usize), IndexError> {
        let objects = self.index.path().join("objects");
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
