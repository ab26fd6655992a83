//! What `monitor` can be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::index::check_way;
use super::serve::base_url;
use super::work::{duration, pause};
use super::{IndexOptions, StorageOptions};

#[derive(Args, Debug, Clone)]
#[command(mut_arg("allow_insecure_token", |option| option.help(
    "Send the token of --index-remote and PagerDuty's key over plain HTTP to another machine, where others can read them \
     on their way"
)))]
pub struct MonitorOptions {
    #[command(flatten)]
    pub storage: StorageOptions,
    /// Go on looking until SIGTERM, instead of once
    #[arg(long)]
    pub watch: bool,
    /// How often to look, with --watch
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = pause)]
    pub interval: Duration,
    /// Print JSON for scripts instead of a line for monitoring systems
    #[arg(long)]
    pub json: bool,
    /// Send a test page through every receiver, take it back, and say how that went
    #[arg(long, conflicts_with = "watch")]
    pub test_page: bool,
    #[command(flatten)]
    pub index: IndexOptions,
    #[command(flatten)]
    pub limits: LimitOptions,
    #[command(flatten)]
    pub pages: PageOptions,
}

impl MonitorOptions {
    /// Refuses what would show a secret.
    pub fn check(&self) -> Result<(), String> {
        self.index.check()?;
        let has_key = self.pages.pagerduty_key_file.is_some();
        check_way("--pagerduty-url", &self.pages.pagerduty_url, has_key && !self.index.allow_insecure_token)
    }
}

/// When something is wrong.
#[derive(Args, Debug, Clone)]
pub struct LimitOptions {
    /// How old the oldest owed job may be: a limit that is critical, or two of which the first one warns, as in 5m,15m
    #[arg(long, env = "SUPERCARGO_MAX_JOB_AGE", value_name = "DURATIONS", default_value = "5m,15m", value_parser = durations)]
    pub max_job_age: Limit<Duration>,
    /// How many jobs may be dead
    #[arg(long, env = "SUPERCARGO_MAX_DEAD_JOBS", value_name = "N", default_value = "0")]
    pub max_dead_jobs: u32,
    /// From how many attempts on a job that fails counts as failing
    #[arg(long, env = "SUPERCARGO_FAILING_ATTEMPTS", value_name = "N", default_value = "6", value_parser = clap::value_parser!(u32).range(1..))]
    pub failing_attempts: u32,
    /// How long jobs may wait because of a failure that is everybody's, such as a full disk
    #[arg(long, env = "SUPERCARGO_MAX_OUTAGE", value_name = "DURATION", default_value = "3m", value_parser = duration)]
    pub max_outage: Duration,
    /// How long a job may run; without it, a minute more than its kind may take
    #[arg(long, env = "SUPERCARGO_MAX_JOB_RUN", value_name = "DURATION", value_parser = duration)]
    pub max_job_run: Option<Duration>,
    /// How many processes have to take jobs or stand by for it
    #[arg(long, env = "SUPERCARGO_MIN_WORKERS", value_name = "N", default_value = "1")]
    pub min_workers: u32,
    /// How old the newest verification may be: a limit that is critical, or two of which the first one warns
    #[arg(long, env = "SUPERCARGO_MAX_VERIFY_AGE", value_name = "DURATIONS", value_parser = durations)]
    pub max_verify_age: Option<Limit<Duration>>,
    /// How full the file system of the data directory may be, in percent of its bytes and of its inodes
    #[arg(long, env = "SUPERCARGO_DISK_LIMIT", value_name = "PERCENTS", default_value = "80,90", value_parser = percents)]
    pub disk_limit: Limit<u8>,
    /// The certificate that `serve` was given with --tls-cert: says when it is about to expire
    #[arg(long, env = "SUPERCARGO_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// How long before its end the certificate is to be renewed
    #[arg(long, env = "SUPERCARGO_CERTIFICATE_LIMIT", value_name = "DURATIONS", default_value = "21days,7days", value_parser = falling_durations)]
    pub certificate_limit: Limit<Duration>,
    /// The registry's URL: asks it by /health/ready whether it is ready
    #[arg(long, env = "SUPERCARGO_URL", value_name = "URL", value_parser = base_url)]
    pub url: Option<String>,
    /// How long database, registry and receivers are waited for, each time
    #[arg(long, env = "SUPERCARGO_LOOK_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = whole_seconds)]
    pub look_timeout: Duration,
}

/// Who is told, and when.
#[derive(Args, Debug, Clone)]
pub struct PageOptions {
    /// What this installation is called in pages
    #[arg(long, env = "SUPERCARGO_MONITOR_NAME", value_name = "NAME", default_value = "supercargo", value_parser = name)]
    pub name: String,
    /// Page by PagerDuty: a file with the integration key of a service (Events API v2)
    #[arg(long, env = "SUPERCARGO_PAGERDUTY_KEY_FILE", value_name = "FILE")]
    pub pagerduty_key_file: Option<PathBuf>,
    /// Where PagerDuty, or what speaks its Events API v2, takes events
    #[arg(long, env = "SUPERCARGO_PAGERDUTY_URL", value_name = "URL", default_value = "https://events.pagerduty.com/v2/enqueue", value_parser = http_url)]
    pub pagerduty_url: String,
    /// Page by a POST to this URL
    #[arg(long, env = "SUPERCARGO_WEBHOOK_URL", value_name = "URL", value_parser = http_url, requires = "webhook_secret_file", hide_env_values = true)]
    pub webhook_url: Option<String>,
    /// A file with the secret that signs what is sent to --webhook-url
    #[arg(long, env = "SUPERCARGO_WEBHOOK_SECRET_FILE", value_name = "FILE", requires = "webhook_url")]
    pub webhook_secret_file: Option<PathBuf>,
    /// Where it is kept who was told what; without it, monitor.json in the data directory
    #[arg(long, env = "SUPERCARGO_MONITOR_STATE", value_name = "FILE")]
    pub monitor_state: Option<PathBuf>,
    /// How many looks in a row have to find a problem before anybody is paged, and find none before it is over
    #[arg(long, env = "SUPERCARGO_PAGE_AFTER", value_name = "LOOKS", default_value = "2", value_parser = clap::value_parser!(u32).range(1..))]
    pub page_after: u32,
    /// What is worth a page
    #[arg(long, env = "SUPERCARGO_PAGE_FROM", value_name = "SEVERITY", default_value = "critical")]
    pub page_from: PageFrom,
}

impl PageOptions {
    /// Whether anybody is told.
    pub fn has_receivers(&self) -> bool {
        self.pagerduty_key_file.is_some() || self.webhook_url.is_some()
    }
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageFrom {
    /// What is critical, and what can't be looked at.
    Critical,
    /// Warnings as well.
    Warning,
}

/// From where on it is a warning, and from where on it is critical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit<T> {
    pub warning: T,
    pub critical: T,
}

/// One value, or two with a comma.
fn limit<T: Copy>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Limit<T>, String> {
    let critical = parse(text.rsplit(',').next().unwrap_or_default().trim())?;
    match text.split(',').collect::<Vec<_>>()[..] {
        [_] => Ok(Limit { warning: critical, critical }),
        [warning, _] => Ok(Limit { warning: parse(warning.trim())?, critical }),
        _ => Err("it is one value, or two with a comma of which the first one warns".to_owned()),
    }
}

fn durations(text: &str) -> Result<Limit<Duration>, String> {
    let limit = limit(text, duration)?;
    if limit.warning > limit.critical {
        return Err("the first one warns, and so can't be the greater one".to_owned());
    }
    Ok(limit)
}

/// For a time that runs out.
fn falling_durations(text: &str) -> Result<Limit<Duration>, String> {
    let limit = limit(text, duration)?;
    if limit.warning < limit.critical {
        return Err("the first one warns, and so has to be the longer one".to_owned());
    }
    Ok(limit)
}

fn percents(text: &str) -> Result<Limit<u8>, String> {
    let percent = |text: &str| match text.trim_end_matches('%').parse() {
        Ok(percent @ 0..=100) => Ok(percent),
        _ => Err("it must be a number of percent from 0 to 100, or two with a comma, as in 80,90".to_owned()),
    };
    let limit = limit(text, percent)?;
    if limit.warning > limit.critical {
        return Err("the first one warns, and so can't be the greater one".to_owned());
    }
    Ok(limit)
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        time if time < Duration::from_secs(1) || time > Duration::from_secs(300) => {
            Err("give it from 1s to 5m".to_owned())
        }
        time => Ok(time),
    }
}

fn http_url(text: &str) -> Result<String, String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => Ok(text.to_owned()),
        _ => Err("it must begin with http:// or https:// and name a host".to_owned()),
    }
}

/// It stands in keys by which incidents are told apart.
fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
        return Err("it must have 1 to 100 characters, all of them printable".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_one_value_or_a_warning_before_it() {
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
    fn a_url_and_a_name_that_would_lead_nowhere_are_refused() {
        assert!(http_url("https://hooks.example/x?y=z").is_ok());
        for wrong in ["hooks.example", "ftp://hooks.example", "http://", ""] {
            assert!(http_url(wrong).is_err(), "{wrong}");
        }
        assert!(name(" a\n").is_ok() && name("").is_err() && name("a\nb").is_err());
    }
}
