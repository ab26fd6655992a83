//! Subcommands of `upstream`.

use std::str::FromStr;
use std::time::Duration;

use clap::Subcommand;

use super::StorageOptions;
use super::crate_or_version::{CrateOrVersion, CratesOrVersion};
use super::durations::duration;
use super::output::OutputOptions;
use super::upstream::{NamedUpstream, name, upstream};
use super::upstream_cache::{FetchOptions, MirrorOptions, PinOptions, StatusOptions};

#[derive(Subcommand, Debug)]
pub enum UpstreamCommand {
    /// Let a crate or a version pass, however young it is
    ///
    /// Of several rules that are about a version, the one about that version counts, else the one about its crate, else the one with the
    /// longest beginning of the name.
    Allow {
        #[command(flatten)]
        about: RuleArguments,
        /// Reason, kept with the rule and in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Put a crate or a version on hold: it is not chosen, and only served if it was served before
    Hold(RefusalOptions),
    /// Refuse a crate or a version, even if it was served before
    Block(RefusalOptions),
    /// Remove the rule about a crate or a version
    Release {
        #[command(flatten)]
        about: RuleArguments,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Show who downloaded a crate or a version of an upstream, and which crates depend on it
    ///
    /// Downloads are known as far as they are logged (--download-log-retention of `serve`). Of the crates of this registry,
    /// those are listed whose default version may take the version, directly or through others.
    Exposure {
        #[command(flatten)]
        about: VersionArguments,
        #[command(flatten)]
        exposure: ExposureOptions,
        /// Other registries that `serve` has; the URL of the index is that of dependencies on its crates
        #[arg(long = "upstream", hide = true, env = "SUPERCARGO_UPSTREAM", value_name = "NAME=URL", value_delimiter = ',', value_parser = upstream)]
        upstreams: Vec<NamedUpstream>,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Fetch the packages of lock files, so that they are in the cache
    ///
    /// Every file is checked against the index and the lock file. Works beside a running `serve`, and takes the same options of
    /// upstreams. The exit code is 1 if something is missing, and 130 after an interruption; run it again to continue.
    Fetch(Box<FetchOptions>),
    /// Fetch versions and keep them in the cache, however long they are not used
    Pin(Box<PinOptions>),
    /// Let the files of a crate or a version be removed from the cache again
    Unpin {
        #[command(flatten)]
        about: VersionArguments,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List the pins of all upstreams, or of one
    Pins {
        #[arg(value_name = "UPSTREAM", value_parser = name)]
        upstream: Option<String>,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Fetch whole crates of an upstream: those of a pattern or a list, or all
    ///
    /// Asks only for what is missing, and for index files that were confirmed longer ago than --upstream-fresh. The exit code is
    /// 1 if something is missing, and 130 after an interruption; run it again to continue.
    Mirror(Box<MirrorOptions>),
    /// Show what is kept of each upstream, its rules, pins and alarms, and whether it is away
    ///
    /// Asks no upstream. Takes the same options of upstreams as `serve`.
    Status(Box<StatusOptions>),
    /// List the rules of all upstreams, or of one
    Rules {
        #[arg(value_name = "UPSTREAM", value_parser = name)]
        upstream: Option<String>,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

/// What is shown of an exposure.
#[derive(clap::Args, Debug, Clone)]
pub struct ExposureOptions {
    /// Only downloads of the last DURATION, such as 7days
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<Duration>,
    #[command(flatten)]
    pub output: OutputOptions,
}

/// The options of a rule that refuses downloads.
#[derive(clap::Args, Debug)]
pub struct RefusalOptions {
    #[command(flatten)]
    pub about: RuleArguments,
    /// Reason, shown to users whose download is refused, and kept in the audit log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    #[command(flatten)]
    pub storage: StorageOptions,
}

/// What a rule is about.
#[derive(clap::Args, Debug, Clone)]
pub struct RuleArguments {
    /// Name of the upstream, such as crates-io
    #[arg(value_name = "UPSTREAM", value_parser = name)]
    pub upstream: String,
    /// Crate, one version of it, all crates whose names begin so (`aws-*`), or all (`*`)
    #[arg(value_name = "CRATE[@VERSION]", value_parser = CratesOrVersion::from_str)]
    pub about: CratesOrVersion,
}

/// A crate, or one version of it.
#[derive(clap::Args, Debug, Clone)]
pub struct VersionArguments {
    /// Name of the upstream, such as crates-io
    #[arg(value_name = "UPSTREAM", value_parser = name)]
    pub upstream: String,
    /// Crate, or one version of it
    #[arg(value_name = "CRATE[@VERSION]", value_parser = CrateOrVersion::from_str)]
    pub about: CrateOrVersion,
}
