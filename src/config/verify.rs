//! What `verify` can be told.

use std::time::Duration;

use clap::Args;

use super::admin::OutputOptions;
use super::work::duration;
use super::{CrateStoreOptions, IndexOptions, StorageOptions};

/// The options of `verify`.
#[derive(Args, Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(mut_arg("allow_insecure_token", |option| option.help(
    "Send the tokens of --index-remote and --mirror over plain HTTP to another machine, where others can read them on \
     their way"
)))]
pub struct VerifyOptions {
    /// Don't read crate files, and don't have git examine the repository: look whether files are there and have their size
    #[arg(long)]
    pub light: bool,
    /// Have git read and hash every object of the index, instead of only following references
    #[arg(long, conflicts_with = "light")]
    pub all_objects: bool,
    /// Go on where an interrupted run of the same kind stopped
    #[arg(long)]
    pub resume: bool,
    /// Files of the store that no version names count from this age on, because a publish stores its file first
    #[arg(long, value_name = "DURATION", default_value = "1day", value_parser = duration)]
    pub orphan_age: Duration,
    /// How long crates are waited for for which a job is owed; those that still have one are listed and are no difference
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub patience: Duration,
    /// The most bytes of crate files that are read in a second, as in 50MiB
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    pub max_rate: Option<f64>,
    /// The most crates that are looked at in a second
    #[arg(long, value_name = "COUNT", value_parser = rate)]
    pub max_crates: Option<f64>,
    #[command(flatten)]
    pub index: IndexOptions,
    #[command(flatten)]
    pub repair: RepairOptions,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
}

/// What may be done about differences.
#[derive(Args, Debug, Clone)]
pub struct RepairOptions {
    /// Restore the agreement: render index files, restore lost rows, mend crate files, move away what nobody needs
    ///
    /// Nothing is deleted: what leaves the index stays in its history, and what leaves the crate store's own places is in its
    /// directory `quarantine`. What was done is told, and what could not be done, with the remedy.
    #[arg(long)]
    pub repair: bool,
    /// Where missing and damaged crate files can be had: a URL as `dl` in the config.json of another registry
    ///
    /// With cargo's markers ({crate}, {version}, {prefix}, {lowerprefix}, {sha256-checksum}), or without, as in
    /// `https://crates.example/api/v1/crates`.
    #[arg(long, value_name = "URL", requires = "repair")]
    pub mirror: Option<String>,
    /// A file with the token that the mirror wants
    #[arg(long, value_name = "FILE", requires = "mirror")]
    pub token_file: Option<std::path::PathBuf>,
    /// Who shall own crates that are restored and of whose owners the log tells nothing: a login, or team:NAME; may be given
    /// several times
    #[arg(long = "owner", value_name = "LOGIN", requires = "repair")]
    pub owners: Vec<String>,
    /// Give dead jobs another chance
    #[arg(long, requires = "repair")]
    pub retry_dead: bool,
}

/// A number above zero, perhaps with a unit of bytes.
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
        _ => return Err("the unit is unknown; write it as 1000000, 500KiB, 50MiB or 1GiB".to_owned()),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number * factor),
        _ => Err("it must be a number above zero, as 1000000, 500KiB or 50MiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn a_rate_has_a_unit_or_none_and_is_more_than_nothing() {
        assert_eq!(rate("50MiB"), Ok(52_428_800.0));
        assert_eq!(rate("1.5 kB"), Ok(1500.0));
        assert_eq!(rate("200"), Ok(200.0));
        for wrong in ["", "0", "-1", "MiB", "5 miles", "nan", "inf"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
