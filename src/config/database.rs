//! Subcommands of `database`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::StorageOptions;

#[derive(Subcommand, Debug)]
pub enum DatabaseCommand {
    /// Move the embedded PostgreSQL to another major version
    ///
    /// Needs the server programs of both versions: the newest installed ones, or those of --postgres-bin-dir, and those of
    /// the version that created the database. `serve` must be stopped. The new database is made beside the old one and
    /// compared with it row for row before it takes its place; the old one is kept. An interrupted upgrade can be run
    /// again, and the registry can be started after it as before. See docs/postgresql.md.
    Upgrade(DatabaseUpgradeOptions),
}

#[derive(Args, Debug, Clone)]
pub struct DatabaseUpgradeOptions {
    /// Directory of the old version's programs [default: PATH, /usr/lib/postgresql/*/bin]
    #[arg(long, value_name = "DIR")]
    pub old_postgres_bin_dir: Option<PathBuf>,
    /// Check versions, programs and disk space, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub storage: StorageOptions,
}
