//! Options of `index`.

use clap::{Args, Subcommand};

use super::{CrateStoreOptions, IndexExportOptions, IndexOptions, StorageOptions};

/// The subcommands of `index`.
#[derive(Subcommand, Debug)]
pub enum IndexCommand {
    /// Copy the sparse index to the bucket of --index-export
    ///
    /// The processes that run jobs do this by themselves. The command is for the first export of a large index, for a repair,
    /// and for new headers. It can be interrupted and started again: files that are right are not written again. The exit code
    /// is 0 if the copy is complete.
    Export(Box<ExportOptions>),
}

/// The options of `index export`.
#[derive(Args, Debug)]
pub struct ExportOptions {
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub index: IndexOptions,
    #[command(flatten)]
    pub export: IndexExportOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
    /// Compare all files, not only those of new commits
    #[arg(long)]
    pub full: bool,
    /// Write all files, as after a change of --index-export-cache-control
    #[arg(long, conflicts_with = "full")]
    pub rewrite: bool,
    /// Show how far the copy is behind, and change nothing
    #[arg(long, conflicts_with_all = ["full", "rewrite"])]
    pub status: bool,
    /// Print the status as JSON
    #[arg(long, requires = "status")]
    pub json: bool,
}
