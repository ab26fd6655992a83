//! Subcommands of `advisory`.

use clap::Subcommand;

use super::StorageOptions;
use super::output::OutputOptions;
use super::upstream::name;
use crate::package::CrateName;

#[derive(Subcommand, Debug)]
pub enum AdvisoryCommand {
    /// Read the advisories about an upstream now
    ///
    /// The source is the one of --advisories of `serve` or `worker`.
    Refresh {
        #[arg(value_name = "UPSTREAM", value_parser = name, default_value = "crates-io")]
        upstream: String,
        /// Also if most of what is known would be gone
        #[arg(long)]
        accept_withdrawals: bool,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Show the sources of advisories, their last refresh, and files that cannot be read
    Status {
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List advisories
    List {
        /// Only those about this crate
        #[arg(value_name = "CRATE")]
        krate: Option<CrateName>,
        /// Only those about crates of this upstream
        #[arg(long, value_name = "UPSTREAM", value_parser = name)]
        upstream: Option<String>,
        /// Also those that are withdrawn, or gone from their source
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Show an advisory in the form of OSV
    Show {
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Remove the source of the advisories about an upstream, and all that came from it
    ///
    /// Remove it from the options of `serve` and `worker` first.
    Forget {
        #[arg(value_name = "UPSTREAM", value_parser = name)]
        upstream: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
}
