//! Subcommands of `jobs`.

use clap::Subcommand;

use super::StorageOptions;
use super::durations::pause;
use super::output::OutputOptions;

#[derive(Subcommand, Debug)]
pub enum JobsCommand {
    /// List jobs (pending ones by default)
    List {
        /// Pending jobs whose last attempt failed
        #[arg(long, group = "which")]
        failed: bool,
        /// Dead jobs, which failed too often and are not retried
        #[arg(long, group = "which")]
        dead: bool,
        /// Finished and discarded jobs, newest first
        #[arg(long, group = "which")]
        done: bool,
        /// Maximum number of jobs
        #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Watch the job queue
    ///
    /// On a terminal, shows the number of jobs of each kind, the running ones and the last finished ones, until Ctrl-C.
    /// Otherwise, and with --json, prints a line for each attempt that ends.
    Watch {
        /// Time between updates
        #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = pause)]
        interval: std::time::Duration,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Show a job with its state and all its attempts
    Show {
        id: i64,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Requeue a dead job with its attempts reset, or run a waiting job now
    Retry {
        #[arg(required = true)]
        ids: Vec<i64>,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Discard a dead or waiting job without running it
    Discard {
        id: i64,
        /// Reason, kept in the job's history
        #[arg(long, value_name = "TEXT", default_value = "discarded by an operator")]
        reason: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
}
