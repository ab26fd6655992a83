//! Why the files of a package cannot be read.

use std::io;

use crate::crate_store::CrateStoreError;

/// Why the files of a package cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The store has no such crate file.
    #[error("the crate file is missing in the store")]
    Missing,
    /// The store cannot be read.
    #[error("the crate file cannot be read")]
    Store(#[from] CrateStoreError),
    /// The crate file is not a gzipped tar archive.
    #[error("the crate file cannot be unpacked: {0}")]
    Unreadable(String),
    /// The package is too large to be shown.
    #[error("the package has more than {limit} {unit}, which is too much to be shown")]
    TooLarge {
        /// The limit.
        limit: u64,
        /// What it counts.
        unit: &'static str,
    },
    /// The pack in the cache is damaged. [`super::SourceCache::with`] makes it again.
    #[error("a file of the source cache is damaged")]
    Damaged,
    /// The cache cannot be used.
    #[error("the source cache cannot be used")]
    Cache(#[from] io::Error),
}
