//! What `admin import` can be told.

use std::path::PathBuf;

use clap::Args;

use super::StorageOptions;
use super::admin::OutputOptions;

/// The options of `admin import`.
#[derive(Args, Debug, Clone)]
pub struct ImportOptions {
    /// The index: `sparse+https://…`, a URL of a git repository (`https://…`, `git+ssh://…`, `git+file://…`), or a path of one
    #[arg(value_name = "INDEX")]
    pub index: String,
    /// Crates to take; all of them, if none is named and the index is a git repository
    #[arg(value_name = "CRATE")]
    pub names: Vec<String>,
    /// A file with names of crates, one a line: a sparse index can't be listed
    #[arg(long, value_name = "FILE")]
    pub crates: Option<PathBuf>,
    /// Who shall own the crates that are created: a login, or team:NAME; may be given several times
    #[arg(long = "owner", value_name = "LOGIN", required = true)]
    pub owners: Vec<String>,
    /// A file with the token that the other registry wants
    ///
    /// It is sent as cargo sends it: to the index if that answers 401 or its config.json says auth-required, and for crate
    /// files, wherever they are, only in the latter case.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Send the token of --token-file over plain HTTP to another machine, where others can read it on its way
    #[arg(long, env = "SUPERCARGO_ALLOW_INSECURE_TOKEN")]
    pub allow_insecure_token: bool,
    /// How many crates are fetched at the same time
    #[arg(long, value_name = "COUNT", default_value = "4", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub concurrency: u8,
    /// Change nothing, fetch no crate file, and tell what would be taken
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
}
