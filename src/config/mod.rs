//! Every option: a flag, an environment variable, a default, and what it means. Nothing else reads the environment.

#![allow(rustdoc::invalid_html_tags, reason = "the comments are help texts, in which <NAME> is a placeholder")]

pub mod access;
pub mod admin;
pub mod backup;
pub mod crate_store;
pub mod http;
pub mod import;
pub mod index;
pub mod monitor;
pub mod policy;
pub mod sentry;
pub mod serve;
pub mod storage;
pub mod verify;
pub mod work;

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use access::{AccessOptions, WhoMayCreate};
pub use admin::{
    AdminCommand, AuditOptions, CrateCommand, JobsCommand, LimitsOptions, NewTokenOptions, OwnerCommand, TeamCommand,
    TokenCommand, UserCommand, VersionCommand,
};
pub use backup::{BackupOptions, RestoreOptions};
pub use crate_store::{CrateStoreOptions, CrateStorePlace};
pub use http::HttpOptions;
pub use import::ImportOptions;
pub use index::IndexOptions;
pub use monitor::{Limit, LimitOptions, MonitorOptions, PageFrom, PageOptions};
pub use policy::PolicyOptions;
pub use sentry::SentryOptions;
pub use serve::ServeOptions;
pub use storage::StorageOptions;
pub use verify::VerifyOptions;
pub use work::{WorkOptions, WorkerOptions};

/// A self-hosted cargo registry whose publishes are never lost, half done or stuck.
///
/// `supercargo serve` needs no set-up: it keeps everything, its own PostgreSQL included, in one data directory.
#[derive(Parser, Debug)]
#[command(name = "supercargo", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub log: LogOptions,
}

impl Cli {
    /// What is reported; None for commands that a person waits for.
    pub fn reports(&self) -> Option<&SentryOptions> {
        match &self.command {
            Command::Serve(options) => Some(&options.work.sentry),
            Command::Worker(options) => Some(&options.work.sentry),
            _ => None,
        }
    }
}

/// What is written to standard error while a command runs.
#[derive(Args, Debug, Clone)]
pub struct LogOptions {
    /// What to log: a level (error, warn, info, debug, trace), or levels by module
    #[arg(long, global = true, env = "SUPERCARGO_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
    /// How to log
    #[arg(long, global = true, env = "SUPERCARGO_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve the registry: API, sparse index, git index and downloads
    ///
    /// Without a database URL this starts a private PostgreSQL inside the data directory and stops it at the end; at the
    /// first start a user `admin` is created, and its token is written to <data-dir>/admin-token.
    ///
    /// SIGTERM and Ctrl-C let requests and the batch at hand finish; a second one leaves at once, and loses nothing.
    Serve(Box<ServeOptions>),
    /// Take the jobs of a registry that `serve --no-worker` serves
    ///
    /// Works on the same database and data directory. With the private PostgreSQL, `serve` must be running. Several
    /// workers may run: one takes the jobs and the others stand by.
    Worker(Box<WorkerOptions>),
    /// Bring the database's schema up to date
    ///
    /// `serve` does this by itself with its private PostgreSQL, and also with a database of yours, unless it is newer.
    Migrate(StorageOptions),
    /// Manage users, tokens, teams, owners, crates and versions, and read the log of changes
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Look at the job queue, retry and discard jobs
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Say whether the registry is well, and page somebody if it is not
    ///
    /// FetchRequests once and prints a line as monitoring plug-ins do; the exit code is 0 for well, 1 for a warning, 2 for what is
    /// critical, 3 if it can't look. With --watch it goes on. With a receiver (--pagerduty-key-file, --webhook-url) it pages:
    /// once when a problem has been found in --page-after looks in a row, and once when it is over, also from cron.
    Monitor(Box<MonitorOptions>),
    /// Prove that database, index and crate files agree
    ///
    /// Works beside a registry that is being served, and alone. A difference is looked at twice before it is told, so that
    /// nothing is told that is only on its way.
    ///
    /// The exit code is 0 if everything agrees, 1 if something differs, 2 if that could not be found out, and 130 if the run
    /// was interrupted; `--resume` then goes on where it stopped. With `--repair` they are about what is left.
    Verify(Box<VerifyOptions>),
    /// Make a backup of a registry while it is being served, or check one
    ///
    /// Database, index and crate files, as they were at one moment. Crate files are shared by all backups of a directory,
    /// and hard links to the registry's own where that is possible, so that a backup costs what is new. As root or as the
    /// user that serves; the programs pg_dump and pg_restore have to be installed, at least as new as the server.
    ///
    /// The exit code is 0 for a complete backup, 1 if none was made, and 3 if it lacks crate files that the registry itself
    /// has lost.
    Backup(Box<BackupOptions>),
    /// Make a registry from a backup, in an empty data directory, and an empty database if it is one of yours
    ///
    /// Every checksum is looked at first. Afterwards `serve` goes on where the backup was made; what was published later
    /// has to be published again.
    Restore(Box<RestoreOptions>),
    /// Run a command with a throw-away registry
    ///
    /// Starts a complete registry in a temporary directory on a free port of 127.0.0.1, runs a command, exits with the
    /// command's status and leaves nothing behind, also when interrupted.
    ///
    /// The command's environment has SUPERCARGO_URL, SUPERCARGO_SPARSE_INDEX, SUPERCARGO_GIT_INDEX, SUPERCARGO_TOKEN (of
    /// the user admin), SUPERCARGO_TOKEN_<NAME> for each --user, SUPERCARGO_DATA_DIR and SUPERCARGO_PID (of the serving
    /// process), and for cargo CARGO_REGISTRIES_SUPERCARGO_INDEX, CARGO_REGISTRIES_SUPERCARGO_TOKEN and
    /// CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS, so that `cargo publish --registry supercargo` just works.
    ///
    /// What a registry is like comes from the environment: SUPERCARGO_AUTH_REQUIRED=true makes a private one,
    /// SUPERCARGO_RATE_LIMIT one that refuses what comes too often. Addresses, databases and proxies are not taken from there.
    With(WithOptions),
}

/// The options of `with`.
#[derive(Args, Debug)]
#[command(override_usage = "supercargo with [--user NAME]... -- COMMAND [ARG]...")]
pub struct WithOptions {
    /// Create a user with a token, put into SUPERCARGO_TOKEN_<NAME> (upper case, other characters than letters and
    /// digits as '_'); may be given several times
    #[arg(long = "user", value_name = "NAME")]
    pub users: Vec<String>,
    /// Directory of PostgreSQL's programs (initdb, postgres), if they are not found by themselves
    #[arg(long, env = "SUPERCARGO_POSTGRES_BIN_DIR", value_name = "DIR")]
    pub postgres_bin_dir: Option<std::path::PathBuf>,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// The fail points to arm, for tests of the program; see [`crate::fault`].
pub fn fail_points() -> String {
    std::env::var("SUPERCARGO_FAIL_POINTS").unwrap_or_default()
}

/// Whether an option was given as an argument, which `ps` shows, and not by the environment.
pub fn is_on_command_line(option: &str) -> bool {
    std::env::args_os().any(|argument| argument.to_str().is_some_and(|text| text.split('=').next() == Some(option)))
}
