//! Options of `admin import`.

use std::path::PathBuf;

use clap::Args;

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
    /// Number of crates to fetch in parallel
    #[arg(long, value_name = "COUNT", default_value = "4", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub concurrency: u8,
    /// Print what would be imported, without changing anything
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
}
