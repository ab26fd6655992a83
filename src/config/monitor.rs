//! Options of `monitor`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, FromArgMatches, ValueEnum};

use super::base_url::base_url;
use super::crate_store::{CrateStorePlace, place};
use super::durations::{duration, pause};
use super::index::check_way;
use super::{IndexOptions, StorageOptions};

#[derive(Args, Debug, Clone)]
#[command(mut_arg("allow_insecure_token", |option| option.help(
    "Allow sending the index token and PagerDuty's key unencrypted to another machine"
)))]
pub struct MonitorOptions {
    /// Keep checking until SIGTERM, instead of once
    #[arg(long)]
    pub watch: bool,
    /// With --watch: time between checks
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = pause)]
    pub interval: Duration,
    /// Print JSON instead of a line for monitoring systems
    #[arg(long)]
    pub json: bool,
    /// Send a test page to every receiver, resolve it, and print the results
    #[arg(long, conflicts_with = "watch")]
    pub test_page: bool,
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub limits: LimitOptions,
    #[command(flatten)]
    pub pages: PageOptions,
    #[command(flatten)]
    pub index: IndexOptions,
}

impl MonitorOptions {
    /// Refuses options that would send a secret unencrypted.
    pub fn check(&self) -> Result<(), String> {
        self.index.check()?;
        let has_key = self.pages.pagerduty_key_file.is_some();
        check_way("--pagerduty-url", &self.pages.pagerduty_url, has_key && !self.index.allow_insecure_token)
    }
}

/// The limits beyond which a check fails.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Checks")]
pub struct LimitOptions {
    /// Maximum age of the oldest pending job
    ///
    /// One duration is the critical limit, two are WARNING,CRITICAL.
    #[arg(long, env = "SUPERCARGO_MAX_JOB_AGE", value_name = "DURATIONS", default_value = "5m,15m", value_parser = durations)]
    pub max_job_age: Limit<Duration>,
    /// Maximum number of dead jobs
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_DEAD_JOBS", value_name = "N", default_value = "0")]
    pub max_dead_jobs: u32,
    /// Maximum time that jobs may wait because of an outage, such as a full disk
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_OUTAGE", value_name = "DURATION", default_value = "3m", value_parser = duration)]
    pub max_outage: Duration,
    /// Maximum run time of a job [default: the time limit of its kind plus 1m]
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_JOB_RUN", value_name = "DURATION", value_parser = duration)]
    pub max_job_run: Option<Duration>,
    /// Minimum number of processes that run jobs or stand by
    #[arg(long, hide = true, env = "SUPERCARGO_MIN_WORKERS", value_name = "N", default_value = "1")]
    pub min_workers: u32,
    /// Maximum age of the newest verification [default: any age]
    ///
    /// One duration is the critical limit, two are WARNING,CRITICAL.
    #[arg(long, env = "SUPERCARGO_MAX_VERIFY_AGE", value_name = "DURATIONS", value_parser = durations)]
    pub max_verify_age: Option<Limit<Duration>>,
    /// Maximum use of the data directory's file system, in percent
    ///
    /// It applies to bytes and to inodes. One number is the critical limit, two are WARNING,CRITICAL.
    #[arg(long, env = "SUPERCARGO_DISK_LIMIT", value_name = "PERCENTS", default_value = "80,90", value_parser = percents)]
    pub disk_limit: Limit<u8>,
    /// Location of crate files, as of `serve`, to check its free space
    ///
    /// Only a directory is checked.
    #[arg(long, env = "SUPERCARGO_CRATE_STORE", value_name = "URL", value_parser = place)]
    pub crate_store: Option<CrateStorePlace>,
    /// Certificate of `serve`, to check when it expires
    #[arg(long, env = "SUPERCARGO_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Minimum remaining validity of the certificate
    ///
    /// One duration is the critical limit, two are WARNING,CRITICAL.
    #[arg(long, hide = true, env = "SUPERCARGO_CERTIFICATE_LIMIT", value_name = "DURATIONS", default_value = "21days,7days", value_parser = falling_durations)]
    pub certificate_limit: Limit<Duration>,
    /// URL of the registry, to check /health/ready
    #[arg(long, env = "SUPERCARGO_URL", value_name = "URL", value_parser = base_url)]
    pub url: Option<String>,
}

impl LimitOptions {
    /// The limits that hold if nothing else is chosen.
    pub fn usual() -> Self {
        let command = Self::augment_args(clap::Command::new("monitor")).mut_args(|argument| argument.env(None::<&str>));
        let matched = command.try_get_matches_from(["monitor"]);
        let limits = matched.and_then(|found| Self::from_arg_matches(&found));
        limits.expect("every limit has a default") // a test reads them
    }
}

/// The receivers of pages, and when to page.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Pages")]
pub struct PageOptions {
    /// Name of this installation in pages
    #[arg(long = "monitor-name", alias = "name", env = "SUPERCARGO_MONITOR_NAME", value_name = "NAME", default_value = "supercargo", value_parser = name)]
    pub name: String,
    /// Page through PagerDuty: file with an integration key
    ///
    /// The key is that of a service's Events API v2 integration.
    #[arg(long, env = "SUPERCARGO_PAGERDUTY_KEY_FILE", value_name = "FILE")]
    pub pagerduty_key_file: Option<PathBuf>,
    /// URL of PagerDuty's Events API v2, or of a compatible service
    #[arg(long, hide = true, env = "SUPERCARGO_PAGERDUTY_URL", value_name = "URL", default_value = "https://events.pagerduty.com/v2/enqueue", value_parser = http_url)]
    pub pagerduty_url: String,
    /// Page through a webhook: URL for signed POST requests
    #[arg(long, env = "SUPERCARGO_WEBHOOK_URL", value_name = "URL", value_parser = http_url, hide_env_values = true)]
    pub webhook_url: Option<String>,
    /// File with the secret that signs the webhook's requests
    #[arg(long, env = "SUPERCARGO_WEBHOOK_SECRET_FILE", value_name = "FILE")]
    pub webhook_secret_file: Option<PathBuf>,
    /// File for the state of incidents and pages [default: DATA_DIR/monitor.json]
    #[arg(long, hide = true, env = "SUPERCARGO_MONITOR_STATE", value_name = "FILE")]
    pub monitor_state: Option<PathBuf>,
    /// Consecutive checks that must fail before a page, and pass before it is resolved
    #[arg(long, hide = true, env = "SUPERCARGO_PAGE_AFTER", value_name = "CHECKS", default_value = "2", value_parser = clap::value_parser!(u32).range(1..))]
    pub page_after: u32,
    /// Lowest severity that is paged
    #[arg(long, env = "SUPERCARGO_PAGE_FROM", value_name = "SEVERITY", default_value = "critical")]
    pub page_from: PageFrom,
}

impl PageOptions {
    /// Whether there is a receiver.
    pub fn has_receivers(&self) -> bool {
        self.pagerduty_key_file.is_some() || self.webhook_url.is_some()
    }
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageFrom {
    /// Critical problems, and checks that cannot run
    Critical,
    /// Warnings as well
    Warning,
}

/// The values from which a check warns and from which it is critical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit<T> {
    pub warning: T,
    pub critical: T,
}

/// Parses `CRITICAL` or `WARNING,CRITICAL`.
fn limit<T: Copy>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Limit<T>, String> {
    let critical = parse(text.rsplit(',').next().unwrap_or_default().trim())?;
    match text.split(',').collect::<Vec<_>>()[..] {
        [_] => Ok(Limit { warning: critical, critical }),
        [warning, _] => Ok(Limit { warning: parse(warning.trim())?, critical }),
        _ => Err("use one value, or two as WARNING,CRITICAL".to_owned()),
    }
}

fn durations(text: &str) -> Result<Limit<Duration>, String> {
    let limit = limit(text, duration)?;
    if limit.warning > limit.critical {
        return Err("the warning limit is above the critical one: use WARNING,CRITICAL".to_owned());
    }
    Ok(limit)
}

/// Parses limits of a remaining time, where the warning limit is the longer one.
fn falling_durations(text: &str) -> Result<Limit<Duration>, String> {
    let limit = limit(text, duration)?;
    if limit.warning < limit.critical {
        return Err("the warning limit is below the critical one: use WARNING,CRITICAL".to_owned());
    }
    Ok(limit)
}

fn percents(text: &str) -> Result<Limit<u8>, String> {
    let percent = |text: &str| match text.trim_end_matches('%').parse() {
        Ok(percent @ 0..=100) => Ok(percent),
        _ => Err("use a percentage from 0 to 100, or two such as 80,90".to_owned()),
    };
    let limit = limit(text, percent)?;
    if limit.warning > limit.critical {
        return Err("the warning limit is above the critical one: use WARNING,CRITICAL".to_owned());
    }
    Ok(limit)
}

fn http_url(text: &str) -> Result<String, String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => Ok(text.to_owned()),
        _ => Err("use a URL with http:// or https:// and a host".to_owned()),
    }
}

/// Parses an installation's name, which is part of the keys of incidents.
fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
        return Err("use 1 to 100 printable characters".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_one_value_or_a_warning_and_a_critical_one() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        assert_eq!(durations("15m"), Ok(Limit { warning: minutes(15), critical: minutes(15) }));
        assert_eq!(durations("5m, 15m"), Ok(Limit { warning: minutes(5), critical: minutes(15) }));
        assert_eq!(percents("80%,90%"), Ok(Limit { warning: 80, critical: 90 }));
        assert_eq!(falling_durations("2days,1day").map(|limit| limit.critical), Ok(minutes(24 * 60)));
        for wrong in ["15m,5m", "1m,2m,3m", "15", "", "1m,"] {
            assert!(durations(wrong).is_err(), "{wrong}");
        }
        assert!(percents("101").is_err() && percents("-1").is_err() && percents("95,90").is_err());
        assert!(falling_durations("1day,2days").is_err());
    }

    #[test]
    fn the_usual_limits_are_the_defaults() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let usual = LimitOptions::usual();
        assert_eq!(usual.max_job_age, Limit { warning: minutes(5), critical: minutes(15) });
        assert_eq!((usual.min_workers, usual.max_verify_age, usual.url), (1, None, None));
    }

    #[test]
    fn an_unusable_url_or_name_is_refused() {
        assert!(http_url("https://hooks.example/x?y=z").is_ok());
        for wrong in ["hooks.example", "ftp://hooks.example", "http://", ""] {
            assert!(http_url(wrong).is_err(), "{wrong}");
        }
        assert!(name(" a\n").is_ok() && name("").is_err() && name("a\nb").is_err());
    }
}
