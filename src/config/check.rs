//! Subcommands of `config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ServeOptions;
use super::output::OutputOptions;

#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Check the configuration file
    ///
    /// Prints the file's path and every error in it. The exit code is 0 if there is none, and 1 otherwise.
    Check(CheckOptions),
    /// Show the effective options of `serve` and the source of each
    ///
    /// Accepts the options of `serve`. The source is a flag, a variable, the configuration file or the default. Secrets
    /// are hidden.
    Show(Box<ShowOptions>),
}

#[derive(Args, Debug)]
pub struct CheckOptions {
    /// Configuration file, in TOML
    ///
    /// The default is supercargo.toml in the data directory, or /etc/supercargo/supercargo.toml.
    #[arg(long, env = "SUPERCARGO_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data directory [default: /var/lib/supercargo, or in ~/.local/share]
    #[arg(long, env = "SUPERCARGO_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(mut_args(|option| { let hide = !SHOWN.contains(&option.get_id().as_str()); option.hide(hide) }))]
pub struct ShowOptions {
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub serve: ServeOptions,
}

/// The options in the help of `config show`. The rest are those of `serve`.
const SHOWN: [&str; 3] = ["config", "data_dir", "json"];
