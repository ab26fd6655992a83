//! What `backup` and `restore` can be told.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::admin::OutputOptions;
use super::{CrateStoreOptions, StorageOptions};

/// The options of `backup`.
#[derive(Args, Debug, Clone)]
pub struct BackupOptions {
    /// The directory of the backups, on another disk than the registry; it is made if need be
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Make nothing: prove that a backup can be restored
    ///
    /// Compares every file of it with its checksum, restores the dump into a throw-away PostgreSQL and the index into a
    /// throw-away repository, both in a temporary directory, and makes them agree as `restore` does. Needs PostgreSQL's
    /// server programs, and room for the database in the temporary directory (TMPDIR).
    #[arg(long, conflicts_with = "keep")]
    pub check: bool,
    /// With --check: only compare the checksums, and restore nothing
    #[arg(long, requires = "check")]
    pub checksums_only: bool,
    /// Which backup to check: the name of its directory in DIR; the latest, if it is not given
    #[arg(long, value_name = "TIME", requires = "check")]
    pub at: Option<String>,
    /// Afterwards remove older backups, so that N are left, and the crate files that none of these names
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
    /// The directory of the backups
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Which backup: the name of its directory in DIR; the latest, if it is not given
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Make the index alone, of a registry that has lost it and is stopped; its database and crate files stay as they are
    #[arg(long)]
    pub index_only: bool,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
}
