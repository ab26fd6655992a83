//! Subcommands of `advisory`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
    /// Publish an advisory about a crate of this registry
    ///
    /// All versions are affected, except for those of --patched and --unaffected. It changes nothing about what is delivered: `cargo
    /// yank` does. Readers have it at once, on the pages, in the API and in the git repository `/git/advisories`.
    Add {
        #[arg(value_name = "CRATE")]
        krate: CrateName,
        /// An id of your own, such as ACME-2026-0001 [default: the next SCGO-YEAR-NUMBER]
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        #[command(flatten)]
        given: Box<AdvisoryText>,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Change what an advisory of this registry says, such as which versions are patched
    ///
    /// What is not given stays. An empty text removes what there is, such as --patched ''.
    Edit {
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        given: Box<AdvisoryText>,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Withdraw an advisory of this registry: it does not count any more, and stays for people to read
    Withdraw {
        #[arg(value_name = "ID")]
        id: String,
        /// Why, for everybody to read
        #[arg(long, value_name = "TEXT")]
        reason: String,
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

/// What an advisory says.
#[derive(Args, Debug, Clone)]
pub struct AdvisoryText {
    /// One line, such as "Reads beyond its buffer"
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// File with the description in Markdown; - for standard input
    #[arg(long, value_name = "FILE")]
    pub description: Option<PathBuf>,
    /// Requirement of versions that mend it, such as '>=1.2.3'; repeatable
    ///
    /// As in Cargo.toml, 1.2.3 alone means ^1.2.3, so that 2.0.0 would be affected.
    #[arg(long, value_name = "REQUIREMENT")]
    pub patched: Option<Vec<String>>,
    /// Requirement of versions that never had it, such as '<0.9'; repeatable
    #[arg(long, value_name = "REQUIREMENT")]
    pub unaffected: Option<Vec<String>>,
    /// CVSS vector of version 3 or 4, which gives the severity
    #[arg(long, value_name = "VECTOR")]
    pub cvss: Option<String>,
    /// That it is about no vulnerability: notice, unmaintained or unsound
    #[arg(long, value_name = "KIND")]
    pub informational: Option<String>,
    /// Id of the same in another database, such as CVE-2026-1234; repeatable
    #[arg(long = "alias", value_name = "ID")]
    pub aliases: Option<Vec<String>>,
    /// URL of something to read besides; repeatable
    #[arg(long = "reference", value_name = "URL")]
    pub references: Option<Vec<String>>,
    /// URL where people read more [default: its page at this registry]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}
