//! Subcommands of `set`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::durations::duration;
use super::output::OutputOptions;
use super::{CrateStoreOptions, PackageLimitOptions, PolicyOptions, StorageOptions};

#[derive(Subcommand, Debug)]
pub enum SetCommand {
    /// Create a release set
    ///
    /// Every user may read it and publish into it, each the crates that they may publish.
    Create {
        /// Name, a part of URLs; generated without one
        name: Option<String>,
        /// A line for people
        #[arg(long, value_name = "TEXT")]
        title: Option<String>,
        /// Let only users read the set, with a token; cargo then needs a credential provider
        #[arg(long)]
        private: bool,
        /// Time until the set expires (1 s to 90 days)
        #[arg(long, value_name = "DURATION", default_value = "14d", value_parser = duration)]
        expires_in: Duration,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List release sets, the newest first (open ones by default)
    List {
        /// Also sets that have ended
        #[arg(long)]
        all: bool,
        /// Maximum number of sets
        #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Show a release set with its versions and changes
    Show {
        /// Name of the set
        name: String,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Print what the versions of a release set change
    ///
    /// Compares each with the published version before it: dependencies, features, fields of [package], files, build
    /// scripts, procedural macros, new binary and executable files, and `unsafe`.
    Diff(Box<SetFilesOptions>),
    /// Approve a release set: all of it is published at one moment, or nothing
    ///
    /// Every rule of a publish is checked again, with the options of this command: those of `serve`, if both read the
    /// same configuration file. If a rule wants the approvals of others, it takes --override.
    Approve(Box<ApproveOptions>),
    /// Take a version, or the change of one, out of a release set
    Remove {
        /// Name of the set
        name: String,
        /// Name of the crate
        #[arg(value_name = "CRATE")]
        krate: String,
        /// Number of the version
        #[arg(value_name = "VERSION")]
        num: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Reject a release set: what was staged is gone
    Reject {
        /// Name of the set
        name: String,
        /// Reason, for the users who staged the versions
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Say which crates are published by approvals only
    #[command(subcommand)]
    Rule(RuleCommand),
    /// Move the end of an open release set
    Extend {
        /// Name of the set
        name: String,
        /// Time from now until the set expires (1 s to 90 days)
        #[arg(long, value_name = "DURATION", default_value = "14d", value_parser = duration)]
        expires_in: Duration,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

/// The options of `set diff`.
#[derive(Args, Debug, Clone)]
pub struct SetFilesOptions {
    /// Name of the set
    pub name: String,
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
}

/// The options of `set approve`.
#[derive(Args, Debug, Clone)]
pub struct ApproveOptions {
    /// Name of the set
    pub name: String,
    /// Revision of the set that was looked at; if the set has changed since, nothing is published
    #[arg(long, value_name = "N")]
    pub revision: Option<i64>,
    /// Reason to approve without the users who have to; it is in the audit log, and logged as an error
    #[arg(long = "override", value_name = "REASON")]
    pub override_reason: Option<String>,
    /// Earlier index URL of this registry; repeatable
    ///
    /// A dependency whose manifest names this URL is one on this registry.
    #[arg(long = "index-alias", hide_short_help = true, value_name = "URL")]
    pub index_aliases: Vec<String>,
    #[command(flatten)]
    pub policy: PolicyOptions,
    #[command(flatten)]
    pub limits: PackageLimitOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
}

#[derive(Subcommand, Debug)]
pub enum RuleCommand {
    /// Require an approval for crates
    ///
    /// A plain publish of such a crate is then staged in a release set of its own.
    Add {
        /// A crate, a prefix with `*`, `*` for all, or team:NAME for the crates of a team
        subject: String,
        /// How many users have to approve
        #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(i32).range(1..=20))]
        approvals: i32,
        /// Do not count the approval of a user who staged a version
        #[arg(long)]
        by_another: bool,
        /// Team whose members approve [default: users who may publish the crate]
        #[arg(long, value_name = "TEAM")]
        approved_by: Option<String>,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List the rules
    List {
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Remove a rule
    Remove {
        /// Number of the rule
        id: i32,
        #[command(flatten)]
        storage: StorageOptions,
    },
}
