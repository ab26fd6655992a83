//! What operators can ask for.

use clap::{Args, Subcommand};

use super::work::duration;
use super::{ImportOptions, StorageOptions};

#[derive(Subcommand, Debug)]
pub enum AdminCommand {
    /// Manage users
    #[command(subcommand)]
    User(UserCommand),
    /// Manage API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Manage teams: named groups of users that may own crates together
    #[command(subcommand)]
    Team(TeamCommand),
    /// Manage who may publish and yank a crate
    #[command(subcommand)]
    Owner(OwnerCommand),
    /// Give crates limits of their own, and reserve names
    #[command(subcommand)]
    Crate(CrateCommand),
    /// Take versions away for good
    #[command(subcommand)]
    Version(VersionCommand),
    /// Take in the crates of another registry, by its git or sparse index
    ///
    /// Versions come with their files, whose checksums are checked, and with their yank states. What is here already is left
    /// and compared, so an import that was interrupted is simply started again. Versions that a publish would refuse are
    /// taken as far as cargo can read them, and named; categories that a publish may not have are left out, which the exit
    /// code 1 tells.
    ///
    /// Dependencies that the other index says are its own become dependencies on this registry.
    Import(Box<ImportOptions>),
    /// Show who changed what, when, with which token and from where, newest first
    Audit(AuditOptions),
}

#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// Create a user, who has no token yet
    Create {
        /// The login
        name: String,
        /// Let the user do by the API what an operator may: read the log, delete versions, change all owners
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Make a user an admin
    Promote {
        /// The login
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Make an admin a user like others
    Demote {
        /// The login
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List all users
    List {
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// Create a token and print it, and nothing else, on standard output; it is shown this once
    Create {
        /// Whose token
        #[arg(long, value_name = "NAME")]
        user: String,
        #[command(flatten)]
        token: NewTokenOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List tokens, without their secrets
    List {
        /// Only this user's
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// End a token at once
    Revoke {
        /// Its number, from `token list`
        id: i32,
        /// Revoke as well what was made with it, directly or not: after a leak
        #[arg(long)]
        with_descendants: bool,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

/// What a token is for.
#[derive(Args, Debug, Clone)]
pub struct NewTokenOptions {
    /// What the token is called
    #[arg(long, value_name = "LABEL", default_value = "default")]
    pub name: String,
    /// What it is good for, besides reading; may be given several times; everything, if it is not given
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',',
        value_parser = ["publish-new", "publish-update", "yank", "change-owners", "read"])]
    pub scopes: Vec<String>,
    /// Which crates it is good for: a name, or the beginning of names with `*`; may be given several times; all of them,
    /// if it is not given
    #[arg(long = "crate", value_name = "PATTERN", value_delimiter = ',')]
    pub crates: Vec<String>,
    /// When it ends, counted from now, as in 90days; never, if it is not given
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
    /// Take a user into a team: members may publish and yank what the team owns
    AddMember {
        team: String,
        user: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Take a user out of a team
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
    /// Make a user, or a team as team:NAME, an owner of a crate
    Add {
        #[arg(value_name = "CRATE")]
        krate: String,
        #[arg(value_name = "OWNER")]
        owner: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Take a crate from one of its owners; the last user among them stays
    Remove {
        #[arg(value_name = "CRATE")]
        krate: String,
        #[arg(value_name = "OWNER")]
        owner: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List the owners of a crate
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
    /// Show the limits of one crate, or change them; what is not given stays as it is
    Limits {
        #[arg(value_name = "CRATE")]
        krate: String,
        #[command(flatten)]
        limits: LimitsOptions,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Keep a name from being taken, by anybody but admins
    Reserve {
        name: String,
        /// Why, for whoever tries to take it
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Give a reserved name free
    Release {
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List the names that were reserved here
    Reserved {
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

/// Limits of one crate, in place of the registry's.
#[derive(Args, Debug, Clone, Default)]
pub struct LimitsOptions {
    /// The largest crate file, in bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(i64).range(1..=u32::MAX.into()))]
    pub crate_size: Option<i64>,
    /// The largest size of the unpacked files, in bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(i64).range(1..))]
    pub unpacked_size: Option<i64>,
    /// The most features of a version
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub features: Option<i32>,
    /// The most dependencies of a version
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub dependencies: Option<i32>,
    /// First go back to the registry's limits
    #[arg(long)]
    pub reset: bool,
}

#[derive(Subcommand, Debug)]
pub enum VersionCommand {
    /// Delete a version: index line and crate file go, the number stays taken
    ///
    /// For what must not be there at all, such as a leaked secret. Builds that have it in their Cargo.lock fail from then
    /// on. Whoever only wants new builds to choose another version yanks it.
    Delete {
        #[arg(value_name = "CRATE")]
        krate: String,
        #[arg(value_name = "VERSION")]
        num: String,
        /// Why: shown to whoever looks for the version, and kept in the log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

#[derive(Args, Debug, Clone)]
pub struct AuditOptions {
    /// Only changes of this crate
    #[arg(long = "crate", value_name = "CRATE")]
    pub krate: Option<String>,
    /// Only changes by this user or operator
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Only changes of this kind, such as publish or owner-add
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// Only changes of this last time, as in 7days
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<std::time::Duration>,
    /// At most this many
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(i64).range(1..))]
    pub limit: i64,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
}

#[derive(Subcommand, Debug)]
pub enum JobsCommand {
    /// List jobs: those that are owed, unless told otherwise
    List {
        /// Only owed jobs whose last attempt failed
        #[arg(long, group = "which")]
        failed: bool,
        /// Jobs that failed too often and wait for you
        #[arg(long, group = "which")]
        dead: bool,
        /// Jobs that are done or were discarded, newest first
        #[arg(long, group = "which")]
        done: bool,
        /// At most this many
        #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Watch the queue at work
    ///
    /// On a terminal: how many jobs of each kind there are, what runs, and what ended last, until Ctrl-C. Elsewhere, and
    /// with --json: a line for each attempt that ends from now on.
    Watch {
        /// How often to look
        #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = super::work::pause)]
        interval: std::time::Duration,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Show everything about one job: how it stands, and how each of its attempts ended
    Show {
        id: i64,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Run a dead job again, its attempts at zero, or one that waits at once
    Retry {
        #[arg(required = true)]
        ids: Vec<i64>,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// End a dead or waiting job without doing it; what it was to do stays undone
    Discard {
        id: i64,
        /// Why, for the history
        #[arg(long, value_name = "TEXT", default_value = "discarded by an operator")]
        reason: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

/// How to print.
#[derive(Args, Debug, Clone, Copy)]
pub struct OutputOptions {
    /// Print JSON for scripts instead of a table
    #[arg(long)]
    pub json: bool,
}
