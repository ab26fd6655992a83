//! Subcommands of `admin`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::email::EmailOptions;
use crate::email::EmailAddress;

use super::crate_or_version::CrateOrVersion;
use super::durations::duration;
use super::output::OutputOptions;
use super::upstream::{NamedUpstream, UpstreamTokenFile, name, token_file, upstream};
use super::upstream_rules::ExposureOptions;
use super::users::UserCommand;
use super::{ImportOptions, StorageOptions};

#[derive(Subcommand, Debug)]
pub enum AdminCommand {
    /// Manage users
    #[command(subcommand)]
    User(UserCommand),
    /// Manage the e-mail addresses of users, and test the mail server
    #[command(subcommand)]
    Email(EmailCommand),
    /// Manage API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Manage teams: named groups of users that may own crates together
    #[command(subcommand)]
    Team(TeamCommand),
    /// Manage the owners of a crate, who may publish and yank it
    #[command(subcommand)]
    Owner(OwnerCommand),
    /// Set limits for single crates, delete crates, and reserve names
    #[command(subcommand)]
    Crate(CrateCommand),
    /// Yank and unyank versions, or delete them permanently
    #[command(subcommand)]
    Version(VersionCommand),
    /// Import crates from another registry's git or sparse index
    ///
    /// Imports versions with their files, whose checksums are verified, and with their yank states. Existing versions
    /// are kept and compared, so an interrupted import can be started again. Versions that a publish would refuse are
    /// imported if cargo can read them, and listed. Invalid categories are dropped, and the exit code is then 1.
    ///
    /// Dependencies within the other registry become dependencies on this registry.
    Import(Box<ImportOptions>),
    /// Show the audit log, newest changes first
    ///
    /// Each entry has the time, the user or operator, the action, the token and the address.
    Audit(AuditOptions),
}

#[derive(Subcommand, Debug)]
pub enum EmailCommand {
    /// Set the address of a user, who need not confirm it
    Set {
        /// Login of the user
        name: String,
        /// The address
        address: EmailAddress,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Remove the address of a user, who then gets no mail
    Remove {
        /// Login of the user
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List the addresses, and whether they get mail
    List {
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Send a test to an address, with --smtp-url and --email-from as `serve` has them
    Test(Box<EmailTestOptions>),
}

/// The options of `admin email test`.
#[derive(Args, Debug, Clone)]
pub struct EmailTestOptions {
    /// The address
    pub address: EmailAddress,
    #[command(flatten)]
    pub email: EmailOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
}

#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// Create a token and print it
    ///
    /// Only the token is written to standard output. It cannot be shown again.
    Create {
        /// User who gets the token
        #[arg(long, value_name = "NAME")]
        user: String,
        #[command(flatten)]
        token: NewTokenOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List tokens, without their secrets
    List {
        /// Only tokens of this user
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Revoke a token immediately
    Revoke {
        /// ID of the token, from `token list`
        id: i32,
        /// Also revoke tokens created with it, directly or indirectly (after a leak)
        #[arg(long)]
        with_descendants: bool,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

/// Name and restrictions of a new token.
#[derive(Args, Debug, Clone)]
pub struct NewTokenOptions {
    /// Name of the token
    #[arg(long, value_name = "LABEL", default_value = "default")]
    pub name: String,
    /// Allowed action, besides reading; repeatable [default: all]
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',',
        value_parser = ["publish-new", "publish-update", "yank", "change-owners", "stage-new", "stage-update", "approve", "trusted-publishing", "administer", "read"])]
    pub scopes: Vec<String>,
    /// Allowed crate: a name or a prefix with `*`; repeatable [default: all]
    #[arg(long = "crate", value_name = "PATTERN", value_delimiter = ',')]
    pub crates: Vec<String>,
    /// Time until the token expires, such as 90days [default: never]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub expires_in: Option<std::time::Duration>,
}

#[derive(Subcommand, Debug)]
pub enum TeamCommand {
    /// Create a team without members
    Create {
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Remove a team that owns no crates
    Delete {
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Add a user to a team; members may publish and yank the team's crates
    AddMember {
        team: String,
        user: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Remove a user from a team
    RemoveMember {
        team: String,
        user: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Show the members and crates of a team
    Show {
        name: String,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List all teams
    List {
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

#[derive(Subcommand, Debug)]
pub enum OwnerCommand {
    /// Add an owner to a crate: a login or team:NAME
    Add {
        #[arg(value_name = "CRATE")]
        krate: String,
        #[arg(value_name = "OWNER")]
        owner: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Remove an owner from a crate, or withdraw an invitation; the last user cannot be removed
    Remove {
        #[arg(value_name = "CRATE")]
        krate: String,
        #[arg(value_name = "OWNER")]
        owner: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List the owners of a crate, and users who are invited
    List {
        #[arg(value_name = "CRATE")]
        krate: String,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

#[derive(Subcommand, Debug)]
pub enum CrateCommand {
    /// Show or change the limits of a crate, which need not exist yet
    ///
    /// Without options it shows the limits, and without a name all crates that have limits of their own. Limits without an
    /// option stay as they are. The limits of a name without a crate apply from its first publish on.
    Limits {
        #[arg(value_name = "CRATE")]
        krate: Option<String>,
        #[command(flatten)]
        limits: LimitsOptions,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Reserve crate names, so that only admins can publish them
    Reserve(Box<ReserveOptions>),
    /// Delete a crate with all its versions; its name and their numbers stay taken
    ///
    /// The index and the crate store lose the crate. Builds that have it in their Cargo.lock will fail. To make only new
    /// builds choose other crates, yank its versions instead.
    Delete {
        #[arg(value_name = "CRATE")]
        krate: String,
        /// Reason, shown to users who request the crate, and kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Let the name be published again, as a new crate; also for a crate deleted before
        #[arg(long)]
        release_name: bool,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Release a reserved name, or the name of a deleted crate
    Release {
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Show who downloaded a crate or a version, and which crates depend on it
    ///
    /// Downloads are known as far as they are logged (--download-log-retention of `serve`).
    Exposure {
        /// Crate, or one version of it
        #[arg(value_name = "CRATE[@VERSION]", value_parser = CrateOrVersion::from_str)]
        about: CrateOrVersion,
        #[command(flatten)]
        exposure: ExposureOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List reserved names
    Reserved {
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

/// Names to reserve.
#[derive(Args, Debug, Clone)]
pub struct ReserveOptions {
    #[arg(required_unless_present = "names", conflicts_with = "names")]
    pub name: Option<String>,
    /// File with names, one on a line, in place of a single one; - for standard input
    #[arg(long, value_name = "FILE|-")]
    pub names: Option<PathBuf>,
    /// Upstream that should have crates of these names; those that it lacks are reported
    #[arg(long, value_name = "UPSTREAM", value_parser = name)]
    pub from_upstream: Option<String>,
    /// Reason, shown to users who try to publish the name
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Other registries that `serve` has; with the URLs of their indexes
    #[arg(long = "upstream", hide = true, env = "SUPERCARGO_UPSTREAM", value_name = "NAME=URL", value_delimiter = ',', value_parser = upstream)]
    pub upstreams: Vec<NamedUpstream>,
    /// File with the token of a private upstream, as NAME=FILE; repeatable
    #[arg(long = "upstream-token-file", hide = true, env = "SUPERCARGO_UPSTREAM_TOKEN_FILE", value_name = "NAME=FILE", value_delimiter = ',', value_parser = token_file)]
    pub upstream_token_files: Vec<UpstreamTokenFile>,
    #[command(flatten)]
    pub storage: StorageOptions,
}

/// Limits of one crate, which replace the registry's.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitsOptions {
    /// Maximum size of a crate file, in bytes
    #[arg(long, value_name = "BYTES", requires = "krate", value_parser = clap::value_parser!(i64).range(1..=u32::MAX.into()))]
    pub crate_size: Option<i64>,
    /// Maximum total size of the unpacked files, in bytes
    #[arg(long, value_name = "BYTES", requires = "krate", value_parser = clap::value_parser!(i64).range(1..))]
    pub unpacked_size: Option<i64>,
    /// Maximum number of features of a version
    #[arg(long, value_name = "N", requires = "krate", value_parser = clap::value_parser!(i32).range(1..))]
    pub features: Option<i32>,
    /// Maximum number of dependencies of a version
    #[arg(long, value_name = "N", requires = "krate", value_parser = clap::value_parser!(i32).range(1..))]
    pub dependencies: Option<i32>,
    /// Reset all limits to the registry's first
    #[arg(long, requires = "krate")]
    pub reset: bool,
}

#[derive(Subcommand, Debug)]
pub enum VersionCommand {
    /// Yank a version, so that new builds no longer choose it
    Yank {
        #[arg(value_name = "CRATE")]
        krate: String,
        #[arg(value_name = "VERSION")]
        num: String,
        /// Why, shown to users who look at the version
        #[arg(long, value_name = "TEXT")]
        message: Option<String>,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Unyank a version, so that new builds may choose it again
    Unyank {
        #[arg(value_name = "CRATE")]
        krate: String,
        #[arg(value_name = "VERSION")]
        num: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Delete a version's index line and crate file; its number cannot be used again
    ///
    /// For versions that must not stay available, such as one with a leaked secret. Builds with the version in their
    /// Cargo.lock will fail. To make only new builds choose another version, yank it instead.
    Delete {
        #[arg(value_name = "CRATE")]
        krate: String,
        #[arg(value_name = "VERSION")]
        num: String,
        /// Reason, shown to users who request the version, and kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

#[derive(Args, Debug, Clone)]
pub struct AuditOptions {
    /// Only changes to this crate
    #[arg(long = "crate", value_name = "CRATE")]
    pub krate: Option<String>,
    /// Only changes by this user or operator
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Only changes of this kind, such as publish or owner-add
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// Only changes of the last DURATION, such as 7days
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<std::time::Duration>,
    /// Maximum number of entries
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(i64).range(1..))]
    pub limit: i64,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
}
