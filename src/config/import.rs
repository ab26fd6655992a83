//! Options of `admin import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::StorageOptions;
use super::output::OutputOptions;

/// The options of `admin import`.
#[derive(Args, Debug, Clone)]
pub struct ImportOptions {
    /// Index to import from: sparse+https://…, the URL of a git repository (https://…, git+ssh://…) or its path
    #[arg(value_name = "INDEX")]
    pub index: String,
    /// Crates to import [default: all, if the index is a git repository]
    #[arg(value_name = "CRATE")]
    pub names: Vec<String>,
    /// File with crate names, one per line (a sparse index cannot be listed)
    #[arg(long, value_name = "FILE")]
    pub crates: Option<PathBuf>,
    /// Owner of the new crates: a login or team:NAME; repeatable
    #[arg(long = "owner", value_name = "LOGIN", required = true)]
    pub owners: Vec<String>,
    /// File with a token for the other registry
    ///
    /// The token is sent under the same conditions as cargo sends it: to the index if it answers 401 or if its
    /// config.json has auth-required, and for crate files, on any host, only in the latter case.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Allow sending the token of --token-file unencrypted (http://) to another machine
    #[arg(long, hide = true, env = "SUPERCARGO_ALLOW_INSECURE_TOKEN")]
    pub allow_insecure_token: bool,
    /// Where dependencies on crates.io lead: to crates.io, or to this registry
    ///
    /// Give `here` if all crates that they need are imported: for a mirror or a closed set of crates of crates.io. The manifests keep crates.io, and cargo follows the
    /// index.
    #[arg(long, hide_short_help = true, value_name = "WHERE", value_enum, default_value_t = CratesIoDependencies::CratesIo)]
    pub crates_io_dependencies: CratesIoDependencies,
    /// Further index URL of the other registry, as manifests name it; repeatable
    ///
    /// Dependencies on the other registry become dependencies on this one. Known are the URL of INDEX, those that follow
    /// from `api` in its config.json, and those of the remotes of a local clone.
    #[arg(long = "index-alias", hide_short_help = true, value_name = "URL")]
    pub index_aliases: Vec<String>,
    /// Number of crates to fetch in parallel
    #[arg(long, value_name = "COUNT", default_value = "4", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub concurrency: u8,
    /// Print what the index has to import, without fetching crate files or changing anything
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
}

/// Where dependencies on crates.io lead.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CratesIoDependencies {
    CratesIo,
    Here,
}
