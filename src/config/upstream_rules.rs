//! Subcommands of `upstream`.

use std::str::FromStr;

use clap::Subcommand;

use super::StorageOptions;
use super::output::OutputOptions;
use super::upstream::name;
use crate::package::{CrateName, Version};

#[derive(Subcommand, Debug)]
pub enum UpstreamCommand {
    /// Let a crate or a version pass, however young it is
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
    Hold {
        #[command(flatten)]
        about: RuleArguments,
        /// Reason, shown to users whose download is refused, and kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Refuse a crate or a version, even if it was served before
    Block {
        #[command(flatten)]
        about: RuleArguments,
        /// Reason, shown to users whose download is refused, and kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Remove the rule about a crate or a version
    Release {
        #[command(flatten)]
        about: RuleArguments,
        #[command(flatten)]
        storage: StorageOptions,
    },
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

/// What a rule is about.
#[derive(clap::Args, Debug, Clone)]
pub struct RuleArguments {
    /// Name of the upstream, such as crates-io
    #[arg(value_name = "UPSTREAM", value_parser = name)]
    pub upstream: String,
    /// Crate, or one version of it
    #[arg(value_name = "CRATE[@VERSION]", value_parser = CrateOrVersion::from_str)]
    pub about: CrateOrVersion,
}

/// A crate, or one version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateOrVersion {
    pub name: CrateName,
    pub version: Option<Version>,
}

impl FromStr for CrateOrVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (krate, version) = text.split_once('@').map_or((text, None), |(krate, version)| (krate, Some(version)));
        let name = krate.parse().map_err(|error: crate::package::name::NameError| error.to_string())?;
        let version = version.map(str::parse).transpose();
        let version = version.map_err(|error: crate::package::version::VersionError| error.to_string())?;
        Ok(Self { name, version })
    }
}
