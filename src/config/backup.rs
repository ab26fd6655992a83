//! Options of `backup` and `restore`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::output::OutputOptions;
use super::{CrateStoreOptions, StorageOptions};

/// The options of `backup`.
#[derive(Args, Debug, Clone)]
pub struct BackupOptions {
    /// Directory for backups, on another disk than the registry; created if missing
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Check a backup by restoring it to a temporary directory, instead of making one
    ///
    /// Compares every file with its checksum, restores the dump into a temporary PostgreSQL and the index into a
    /// temporary repository, and reconciles them as `restore` does. Needs PostgreSQL's server programs and space for
    /// the database in the temporary directory (TMPDIR).
    #[arg(long, conflicts_with = "keep")]
    pub check: bool,
    /// With --check: compare checksums only, without a test restore
    #[arg(long, requires = "check")]
    pub checksums_only: bool,
    /// With --check: the backup to check, by its directory name in DIR [default: the latest]
    #[arg(long, value_name = "TIME", requires = "check")]
    pub at: Option<String>,
    /// Include what is kept of upstreams: crate files, index files, and the first checksums of versions
    ///
    /// Without it a restored registry requests these files again. In a directory of the same file system crate files are links.
    #[arg(long, conflicts_with = "check")]
    pub with_upstream_cache: bool,
    /// Keep the N newest backups and remove older ones
    ///
    /// Crate files that none of the remaining backups contains are removed as well.
    #[arg(long, value_name = "N")]
    pub keep: Option<NonZeroUsize>,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
}

/// The options of `restore`.
#[derive(Args, Debug, Clone)]
pub struct RestoreOptions {
    /// Directory of the backups
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// The backup to restore, by its directory name in DIR [default: the latest]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Restore only the index, for a stopped registry that has lost it
    ///
    /// The database and the crate files stay as they are.
    #[arg(long)]
    pub index_only: bool,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
}
