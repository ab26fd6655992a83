//! Subcommands of `bundle`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::OutputOptions;
use super::upstream::name;
use super::upstream_cache::{ConcurrencyOptions, UpstreamCacheOptions};

#[derive(Subcommand, Debug)]
pub enum BundleCommand {
    /// Write the packages of lock files to a directory from which cargo builds without a network
    ///
    /// The directory has cargo's local-registry layout, with the checksums of all its files and a README with the lines for
    /// cargo's configuration. What is not in the cache is fetched first.
    Create(Box<BundleCreateOptions>),
    /// Take a bundle into the cache of an upstream, also where there is no connection to it
    ///
    /// All files are checked before anything is changed. Run it as the user that runs `serve`.
    Import(Box<BundleImportOptions>),
}

/// The options of `bundle create`.
#[derive(Args, Debug, Clone)]
pub struct BundleCreateOptions {
    /// Directory to create, which must not exist or be empty
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Cargo.lock whose packages the bundle gets; repeatable
    #[arg(long = "lock", value_name = "FILE", required = true)]
    pub locks: Vec<PathBuf>,
    #[command(flatten)]
    pub concurrency: ConcurrencyOptions,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub cache: UpstreamCacheOptions,
}

/// The options of `bundle import`.
#[derive(Args, Debug, Clone)]
pub struct BundleImportOptions {
    /// Directory of the bundle
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Name of the upstream that takes the crates, if it is not the one with the bundle's index
    #[arg(long = "as", value_name = "UPSTREAM", value_parser = name)]
    pub upstream_name: Option<String>,
    /// Pin the versions, so that they are never removed from the cache
    #[arg(long)]
    pub pin: bool,
    /// Reason kept with the pins [default: the name of the bundle]
    #[arg(long, value_name = "TEXT", requires = "pin")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub cache: UpstreamCacheOptions,
}
