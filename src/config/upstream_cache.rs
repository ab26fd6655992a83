//! Options of the commands that fill and read the cache of upstreams.

use std::path::PathBuf;

use clap::Args;

use super::crate_or_version::CrateOrVersion;
use super::output::OutputOptions;
use super::upstream::name;
use super::{CrateStoreOptions, StorageOptions, UpstreamOptions};
use crate::package::crate_pattern::CratePattern;

/// Where the cache is, and what it is filled from: the same as for `serve`.
#[derive(Args, Debug, Clone)]
#[command(mut_arg("crate_store", |option| option.help("Location of crate files, as for `serve`")))]
pub struct UpstreamCacheOptions {
    /// Allow sending tokens of upstreams unencrypted (http://) to another machine
    #[arg(long, hide = true, env = "SUPERCARGO_ALLOW_INSECURE_TOKEN")]
    pub allow_insecure_token: bool,
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
    #[command(flatten)]
    pub upstream: UpstreamOptions,
}

/// How many files are fetched at the same time.
#[derive(Args, Debug, Clone)]
pub struct ConcurrencyOptions {
    /// Number of crates to fetch in parallel
    #[arg(long, value_name = "COUNT", default_value = "8", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub concurrency: u8,
}

/// The options of `upstream status`.
#[derive(Args, Debug, Clone)]
pub struct StatusOptions {
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub cache: UpstreamCacheOptions,
}

/// The options of `upstream fetch`.
#[derive(Args, Debug, Clone)]
pub struct FetchOptions {
    /// Cargo.lock whose packages are fetched; repeatable
    #[arg(long = "lock", value_name = "FILE", required_unless_present = "pinned")]
    pub locks: Vec<PathBuf>,
    /// Fetch the files of all pins, such as after a restore
    #[arg(long)]
    pub pinned: bool,
    /// Pin what is fetched, so that it is never removed from the cache
    #[arg(long, requires = "locks")]
    pub pin: bool,
    /// Reason kept with the pins [default: the names of the lock files]
    #[arg(long, value_name = "TEXT", requires = "pin")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub concurrency: ConcurrencyOptions,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub cache: UpstreamCacheOptions,
}

/// The options of `upstream pin`.
#[derive(Args, Debug, Clone)]
pub struct PinOptions {
    /// Name of the upstream, such as crates-io
    #[arg(value_name = "UPSTREAM", value_parser = name)]
    pub upstream: String,
    /// Versions to fetch and pin
    #[arg(value_name = "CRATE@VERSION", required = true, value_parser = one_version)]
    pub versions: Vec<CrateOrVersion>,
    /// Reason, kept with the pins
    #[arg(long, value_name = "TEXT", default_value = "by hand")]
    pub reason: String,
    #[command(flatten)]
    pub concurrency: ConcurrencyOptions,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub cache: UpstreamCacheOptions,
}

/// The options of `upstream mirror`.
#[derive(Args, Debug, Clone)]
#[command(group(clap::ArgGroup::new("which").args(["crates", "names", "all"]).required(true).multiple(true)))]
pub struct MirrorOptions {
    /// Name of the upstream, such as crates-io
    #[arg(value_name = "UPSTREAM", value_parser = name)]
    pub upstream: String,
    /// Crate to fetch, or pattern such as aws-*, which selects from --names or --git-index; repeatable
    #[arg(long = "crates", value_name = "PATTERN", value_delimiter = ',', value_parser = crate_pattern)]
    pub crates: Vec<CratePattern>,
    /// File with crate names, one per line
    #[arg(long, value_name = "FILE")]
    pub names: Option<PathBuf>,
    /// Fetch every crate that the git index has
    #[arg(long, conflicts_with_all = ["crates", "names"])]
    pub all: bool,
    /// Git index of the upstream, which lists its crates: a URL or a directory [default: that of crates.io]
    #[arg(long, value_name = "URL", conflicts_with = "names")]
    pub git_index: Option<String>,
    /// Fetch only so many versions of each crate: the highest that are not yanked
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub newest: Option<u32>,
    /// Most requests a second, such as 20 or 0.5
    #[arg(long, value_name = "REQUESTS", default_value = "10", value_parser = rate)]
    pub rate: f64,
    /// Pin what is fetched, so that it is never removed from the cache
    #[arg(long)]
    pub pin: bool,
    #[command(flatten)]
    pub concurrency: ConcurrencyOptions,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub cache: UpstreamCacheOptions,
}

fn one_version(text: &str) -> Result<CrateOrVersion, String> {
    let about: CrateOrVersion = text.parse()?;
    if about.version.is_none() {
        return Err(format!("{text:?} names no version: use CRATE@VERSION, such as serde@1.0.228"));
    }
    Ok(about)
}

fn crate_pattern(text: &str) -> Result<CratePattern, String> {
    text.parse().map_err(|error: crate::package::crate_pattern::InvalidPattern| error.to_string())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.1..=10_000.0).contains(&rate) => Ok(rate),
        _ => Err("use a number from 0.1 to 10000, of requests a second".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_a_version_and_a_rate_is_a_number_of_requests() {
        assert!(one_version("serde@1.0.0").is_ok());
        assert!(one_version("serde").unwrap_err().contains("use CRATE@VERSION"));
        assert_eq!(rate("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "nan", "inf", "10/s", ""] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
