//! The disk space that an upgrade needs, checked before it begins.

use std::fs;
use std::io;
use std::path::Path;

use crate::full_disk::Space;
use crate::process::CommandError;

/// An empty cluster and some room.
const LEAST: u64 = 128 << 20;
/// The most that the new cluster's write-ahead log takes besides.
const LOG: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// The space of the old cluster, and what the new one needs for a while, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needed {
    pub(super) old: u64,
    pub(super) new: u64,
}

impl Needed {
    pub(super) fn beside(cluster: &Path) -> Result<Self, CommandError> {
        let old = size_of(cluster)
            .map_err(|error| CommandError::while_doing(format!("cannot read {}", cluster.display()), error))?;
        Ok(Self { old, new: old + LOG.min(old) + LEAST })
    }

    /// Refuses an upgrade for which there is no space. The space of `left_over` will be free.
    pub(super) fn check(self, data_dir: &Path, left_over: &Path) -> Result<(), CommandError> {
        let will_be_free = size_of(left_over).unwrap_or(0);
        let available = Space::of(data_dir).map_or(u64::MAX, |space| space.available.saturating_add(will_be_free));
        if available >= self.new {
            return Ok(());
        }
        Err(CommandError::new(format!(
            "no space is left for the upgrade in {}: it needs {} MiB, because the new database is made beside the old one of \
             {} MiB, and {} MiB are available: free some space on its disk",
            data_dir.display(),
            self.new.div_ceil(MIB),
            self.old.div_ceil(MIB),
            available / MIB
        )))
    }
}

/// The bytes of the files in a cluster, without its write-ahead log.
fn size_of(directory: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name() != "pg_wal" {
            size += size_of(&entry.path())?;
        } else if kind.is_file() {
            size += entry.metadata()?.len();
        }
    }
    Ok(size)
}
