//! Command line, environment variables and configuration file. Nothing else reads the environment.

#![allow(
    rustdoc::invalid_html_tags,
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    reason = "the comments are help texts, in which <NAME> is a placeholder a URL an example, and [package] a table of TOML"
)]

pub mod access;
pub mod admin;
mod advisories;
mod advisory;
pub mod backup;
mod base_url;
mod bundle;
pub mod check;
pub mod cors;
pub mod crate_store;
pub mod credential;
mod database;
mod docs;
pub mod email;
pub mod generate;
pub mod http;
pub mod identity_provider;
pub mod import;
pub mod index;
pub mod index_command;
pub mod index_export;
pub mod jobs;
pub mod listen_address;
pub mod load;
pub mod monitor;
pub mod package_limits;
pub mod policy;
mod publisher;
pub mod sentry;
pub mod serve;
pub mod set;
pub mod settings;
pub mod storage;
pub mod upstream;
mod upstream_cache;
mod upstream_rules;
pub mod users;
pub mod verify;
mod webhook;
pub mod with;
pub mod work;

mod crate_or_version;
mod download_log;
mod download_redirect;
mod durations;
mod file;
mod file_access;
mod keys;
mod location;
mod otlp;
mod output;
mod value_error;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub use access::{AccessOptions, SignInWay, WhoMayCreate};
pub use admin::{
    AdminCommand, AuditOptions, CrateCommand, EmailCommand, EmailTestOptions, LimitsOptions, NewTokenOptions,
    OwnerCommand, ReserveOptions, TeamCommand, TokenCommand, VersionCommand,
};
pub use advisories::{AdvisoryOptions, AdvisorySource};
pub use advisory::{AdvisoryCommand, AdvisoryText};
pub use backup::{BackupOptions, RestoreOptions};
pub use bundle::{BundleCommand, BundleCreateOptions, BundleImportOptions};
pub use check::{CheckOptions, ConfigCommand, ShowOptions};
pub use cors::{CorsOptions, CorsOrigin};
pub use crate_or_version::CrateOrVersion;
pub use crate_store::{CrateStoreOptions, CrateStorePlace};
pub use database::{DatabaseCommand, DatabaseUpgradeOptions};
pub use docs::{
    DocsCommand, DocsDeleteOptions, DocsOptions, DocsPushOptions, RemoteOptions, cargo_program, here,
    index_in_environment, token_in_environment, url_in_environment,
};
pub use download_log::DownloadLogOptions;
pub use download_redirect::{DownloadRedirectOptions, Redirect};
pub use email::EmailOptions;
pub use generate::{CompletionsOptions, ManOptions};
pub use http::HttpOptions;
pub use identity_provider::{ExistingUsers, IdentityProvider, NewUsers};
pub use import::{CratesIoDependencies, ImportOptions};
pub use index::IndexOptions;
pub use index_command::{ExportOptions, IndexCommand};
pub use index_export::{ExportPlace, IndexExportOptions, own_variables};
pub use jobs::JobsCommand;
pub use keys::is_settable;
pub use listen_address::{Host, ListenAddress};
pub use load::{Checked, Configuration, LoadError, Loaded, load};
pub use monitor::{Limit, LimitOptions, MonitorOptions, PageFrom, PageOptions};
pub use otlp::{Headers, MetricSettings, OtlpOptions, OtlpSettings, Target, TraceSettings};
pub use package_limits::PackageLimitOptions;
pub use policy::PolicyOptions;
pub use publisher::{IssuerCommand, NewPublisherOptions, PublisherCommand};
pub use sentry::SentryOptions;
pub use serve::ServeOptions;
pub use set::{ApproveOptions, RuleCommand, SetCommand, SetFilesOptions};
pub use settings::{Setting, Source};
pub use storage::StorageOptions;
pub use upstream::{Cooldown, NamedUpstream, UpstreamOptions, UpstreamTokenFile};
pub use upstream_cache::{FetchOptions, MirrorOptions, PinOptions, StatusOptions, UpstreamCacheOptions};
pub use upstream_rules::{ExposureOptions, RefusalOptions, RuleArguments, UpstreamCommand};
pub use users::{NewUsersOptions, RoleName, SignInLinkOptions, UserCommand};
pub use verify::VerifyOptions;
pub use webhook::{NewWebhookOptions, WebhookCommand, WebhookUpdateOptions};
pub use with::WithOptions;
pub use work::{WorkOptions, WorkerOptions};

/// A self-hosted cargo registry whose publishes are never lost, half done or stuck.
///
/// `supercargo serve` needs no setup: all data, including that of the embedded PostgreSQL, is in one directory.
#[derive(Parser, Debug)]
#[command(name = "supercargo", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub log: LogOptions,
}

/// The text below the options of a command.
const MORE_OPTIONS: &str = "Options can also be set by variables (SUPERCARGO_DATA_DIR for --data-dir) and in a \
                            configuration file (data-dir = \"…\"). docs/configuration.md lists all of them, including \
                            rarely needed ones that are not shown here.";

/// The command line. Names of variables are not shown, because they follow from those of the options.
pub fn command() -> clap::Command {
    without_variables(Cli::command()).mut_subcommands(|command| match keys::reads_a_file(&command) {
        true => command.after_help(MORE_OPTIONS),
        false => command,
    })
}

fn without_variables(command: clap::Command) -> clap::Command {
    command.mut_args(|option| option.hide_env(true)).mut_subcommands(without_variables)
}

impl Cli {
    /// The options of error reports; `None` for commands that a person waits for.
    pub fn reports(&self) -> Option<&SentryOptions> {
        match &self.command {
            Command::Serve(options) => Some(&options.work.sentry),
            Command::Worker(options) => Some(&options.work.sentry),
            _ => None,
        }
    }

    /// The options of telemetry, of the same commands.
    pub fn telemetry(&self) -> Option<&OtlpOptions> {
        match &self.command {
            Command::Serve(options) => Some(&options.work.otlp),
            Command::Worker(options) => Some(&options.work.otlp),
            _ => None,
        }
    }

    /// Refuses options that do not go together.
    fn check(&self) -> Result<(), String> {
        match &self.command {
            Command::Serve(options) => options.check(),
            Command::Worker(options) => options.check(),
            Command::Monitor(options) => options.check(),
            _ => Ok(()),
        }
    }
}

/// What is written to standard error while a command runs.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Logging")]
pub struct LogOptions {
    /// Log level, or levels per module
    ///
    /// Levels are error, warn, info, debug and trace. An example with modules is warn,supercargo::queue=debug.
    #[arg(long, global = true, env = "SUPERCARGO_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
    /// Log format
    #[arg(
        long,
        global = true,
        env = "SUPERCARGO_LOG_FORMAT",
        default_value = "text",
        value_name = "text|json",
        hide_possible_values = true
    )]
    pub log_format: LogFormat,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Plain lines.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve the registry: API, sparse index, git index and downloads
    ///
    /// Without a database URL, starts an embedded PostgreSQL in the data directory and stops it at the end. The first
    /// start creates the user `admin` and writes its token to DATA_DIR/admin-token.
    ///
    /// After SIGTERM or Ctrl-C, current requests and jobs finish. A second signal exits immediately; nothing is lost.
    Serve(Box<ServeOptions>),
    /// Run the jobs of a registry that is served with --no-worker
    ///
    /// Uses the same database and data directory as `serve`. With the embedded PostgreSQL, `serve` must be running.
    /// With several workers, one runs the jobs and the others stand by.
    Worker(Box<WorkerOptions>),
    /// Update the database schema
    ///
    /// `serve` does the same at its start, and refuses a database with a newer schema than its own.
    Migrate(StorageOptions),
    /// Upgrade the embedded PostgreSQL to another major version
    #[command(subcommand)]
    Database(DatabaseCommand),
    /// Manage users, tokens, teams, owners, crates and versions, and read the audit log
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Create, show and end release sets: versions that are published together
    #[command(subcommand)]
    Set(SetCommand),
    /// Say which CI systems publish crates with ID tokens, without a token of a user
    #[command(subcommand)]
    Publisher(PublisherCommand),
    /// Tell other programs what happens
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Let crates of upstreams pass, or block them, and fill their cache
    #[command(subcommand)]
    Upstream(UpstreamCommand),
    /// Publish security advisories about crates of this registry, and read those about upstreams
    #[command(subcommand)]
    Advisory(AdvisoryCommand),
    /// Carry crates to where there is no network
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// Copy the sparse index to a bucket behind a CDN
    #[command(subcommand)]
    Index(IndexCommand),
    /// Upload the documentation of crates
    #[command(subcommand)]
    Docs(DocsCommand),
    /// Show, retry and discard background jobs
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Check the registry's health and send a page when it is unhealthy
    ///
    /// Checks once and prints a line in the format of monitoring plug-ins. The exit code is 0 for OK, 1 for a warning,
    /// 2 for a critical problem and 3 if the check cannot run. With --watch it keeps checking. With a receiver
    /// (--pagerduty-key-file, --webhook-url) it sends a page when a problem has been found in consecutive checks, and
    /// resolves it when the problem is over. This also works from cron.
    Monitor(Box<MonitorOptions>),
    /// Check that database, index and crate files agree
    ///
    /// The registry may be running or stopped. A difference is checked twice before it is reported, so that changes in
    /// progress are not reported.
    ///
    /// The exit code is 0 if everything agrees, 1 if there are differences, 2 if the check cannot run, and 130 if it
    /// was interrupted; continue it with --resume. With --repair, the exit code reflects the remaining differences.
    Verify(Box<VerifyOptions>),
    /// Back up a running or stopped registry, or check a backup
    ///
    /// A backup contains the database, the index and the crate files at one point in time. Crate files are shared by
    /// all backups in a directory, and hard-linked to the registry's files where possible, so that a backup needs space
    /// for new files only. Run it as root or as the user that runs `serve`. It needs pg_dump and pg_restore, at least
    /// as new as the server.
    ///
    /// The exit code is 0 for a complete backup, 1 if none was made, and 3 if the backup lacks crate files that the
    /// registry itself has lost.
    Backup(Box<BackupOptions>),
    /// Restore a backup into an empty data directory (and an empty external database)
    ///
    /// All checksums are verified first. `serve` then continues from the time of the backup; versions that were
    /// published later must be published again.
    Restore(Box<RestoreOptions>),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Run a command with a temporary registry
    ///
    /// Starts a complete registry in a temporary directory on a free port of 127.0.0.1, runs the command, exits with
    /// the command's status and removes everything, also when interrupted.
    ///
    /// The command's environment has SUPERCARGO_URL, SUPERCARGO_SPARSE_INDEX, SUPERCARGO_GIT_INDEX, SUPERCARGO_TOKEN
    /// (of the user admin), SUPERCARGO_TOKEN_<NAME> for each --user, SUPERCARGO_DATA_DIR and SUPERCARGO_PID (of the
    /// serving process), and for cargo CARGO_REGISTRIES_SUPERCARGO_INDEX, CARGO_REGISTRIES_SUPERCARGO_TOKEN and
    /// CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS, so that `cargo publish --registry supercargo` works.
    ///
    /// The registry reads the variables of access and publishing rules, such as SUPERCARGO_AUTH_REQUIRED and
    /// SUPERCARGO_RATE_LIMIT. It reads no variables of addresses, databases, storage and monitoring, and no
    /// configuration file.
    With(WithOptions),
    /// Print completions for a shell
    ///
    /// docs/operations.md says where each shell looks for them.
    #[command(hide = true)]
    Completions(CompletionsOptions),
    /// Print the manual page, or write those of all commands to a directory
    #[command(hide = true)]
    Man(ManOptions),
}

/// The fail points to arm, for tests of the program; see [`crate::fault`].
pub fn fail_points() -> String {
    std::env::var("SUPERCARGO_FAIL_POINTS").unwrap_or_default()
}

/// Whether an option is on the command line, which `ps` shows, and not in a variable or file.
pub fn is_on_command_line(option: &str) -> bool {
    std::env::args_os().any(|argument| argument.to_str().is_some_and(|text| text.split('=').next() == Some(option)))
}
