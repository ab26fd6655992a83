//! Options of `verify`.

use std::time::Duration;

use clap::Args;

use super::durations::duration;
use super::output::OutputOptions;
use super::{CrateStoreOptions, IndexExportOptions, IndexOptions, StorageOptions};

/// The options of `verify`.
#[derive(Args, Debug, Clone)]
#[command(mut_arg("allow_insecure_token", |option| option.help(
    "Allow sending the tokens of index and mirror unencrypted to another machine"
)))]
pub struct VerifyOptions {
    /// Check only that crate files exist with the right size; skip their contents and git fsck
    #[arg(long)]
    pub light: bool,
    /// Make git read and hash every object of the index, instead of only following references
    #[arg(long, conflicts_with = "light")]
    pub all_objects: bool,
    /// Check what is kept of upstreams as well: index files and, without --light, crate files
    ///
    /// With --repair damaged files are removed, which are fetched again when they are needed.
    #[arg(long)]
    pub upstreams: bool,
    /// Continue an interrupted run with the same options
    #[arg(long)]
    pub resume: bool,
    /// Minimum age at which a crate file without a version is a difference
    ///
    /// A publish stores its file before its version.
    #[arg(long, hide = true, value_name = "DURATION", default_value = "1day", value_parser = duration)]
    pub orphan_age: Duration,
    /// How long to wait for crates with pending jobs
    ///
    /// Crates that still have pending jobs after this time are listed but do not count as differences.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub patience: Duration,
    /// Earlier index URL of this registry, or one of a registry whose crates were imported; repeatable
    ///
    /// A dependency whose manifest names this URL is one on this registry. It is needed only for index lines from which
    /// the dependency is missing, or that have the URL.
    #[arg(long = "index-alias", hide_short_help = true, value_name = "URL")]
    pub index_aliases: Vec<String>,
    /// Maximum rate of reading crate files, in bytes per second, such as 50MiB
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    pub max_rate: Option<f64>,
    /// Maximum number of crates checked per second
    #[arg(long, value_name = "COUNT", value_parser = rate)]
    pub max_crates: Option<f64>,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub repair: RepairOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub index: IndexOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
    #[command(flatten)]
    pub export: IndexExportOptions,
}

/// The options of a repair.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Repair")]
pub struct RepairOptions {
    /// Repair differences: index files; lost database rows; missing, damaged or unused crate files
    ///
    /// Nothing is deleted: what is removed from the index remains in its history, and crate files are moved to the
    /// crate store's directory `quarantine`. The output lists what was done and what was not, with the remedy.
    #[arg(long)]
    pub repair: bool,
    /// Source of missing and damaged crate files: download URL (`dl`) of another registry
    ///
    /// The URL is the `dl` of that registry's config.json, with cargo's markers ({crate}, {version}, {prefix},
    /// {lowerprefix}, {sha256-checksum}) or without, such as https://crates.example/api/v1/crates.
    #[arg(long, value_name = "URL", requires = "repair")]
    pub mirror: Option<String>,
    /// File with the token for the mirror
    #[arg(long, value_name = "FILE", requires = "mirror")]
    pub token_file: Option<std::path::PathBuf>,
    /// Owner of restored crates whose owners are not in the audit log: a login or team:NAME; repeatable
    #[arg(long = "owner", value_name = "LOGIN", requires = "repair")]
    pub owners: Vec<String>,
    /// Take the yank state of versions from the index where the database differs
    ///
    /// For a database that has lost its latest changes, such as an asynchronous standby that was promoted. Without this
    /// option, the index gets the state of the database.
    #[arg(long, requires = "repair")]
    pub yanks_from_index: bool,
    /// Requeue dead jobs
    #[arg(long, requires = "repair")]
    pub retry_dead: bool,
}

/// Parses a number above zero, with or without a unit of bytes.
fn rate(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err("unknown unit: use 1000000, 500KiB, 50MiB or 1GiB".to_owned()),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number * factor),
        _ => Err("use a number above zero, such as 1000000, 500KiB or 50MiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn a_rate_is_a_positive_number_with_or_without_a_unit() {
        assert_eq!(rate("50MiB"), Ok(52_428_800.0));
        assert_eq!(rate("1.5 kB"), Ok(1500.0));
        assert_eq!(rate("200"), Ok(200.0));
        for wrong in ["", "0", "-1", "MiB", "5 miles", "nan", "inf"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
