//! What a process that takes jobs can be told, be it `serve` or `worker`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::{CrateStoreOptions, IndexOptions, SentryOptions, StorageOptions};

/// The options of `worker`.
#[derive(Args, Debug, Clone)]
pub struct WorkerOptions {
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub index: IndexOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
    #[command(flatten)]
    pub work: WorkOptions,
}

/// What `serve` and `worker` have in common.
#[derive(Args, Debug, Clone)]
pub struct WorkOptions {
    /// Address and port for metrics, at /metrics in Prometheus' text format, and for /health/; port 0 picks a free one
    ///
    /// It has connections and a thread of its own, which requests to the registry can't use up. Without this, `serve` has
    /// both beside everything else, and `worker` has none. Metrics tell the names of queues and kinds of jobs, and numbers;
    /// no names of crates or users.
    #[arg(long, env = "SUPERCARGO_METRICS_LISTEN", value_name = "ADDR")]
    pub metrics_listen: Option<SocketAddr>,
    /// How long receipts of finished and failed jobs are kept
    #[arg(long, env = "SUPERCARGO_HISTORY_RETENTION", value_name = "DURATION", default_value = "30days", value_parser = duration)]
    pub history_retention: Duration,
    /// The longest that a job may run, if that is less than its kind allows
    #[arg(long, env = "SUPERCARGO_JOB_TIME_LIMIT", value_name = "DURATION", value_parser = pause, hide = true)]
    pub job_time_limit: Option<Duration>,
    /// How often database, index and crate files are verified (as `supercargo verify --light` does); 0s for never
    ///
    /// One process of an installation does so, at no more than 500 crates a second. What it found is in the log, in /metrics
    /// and in the table verify_reports.
    #[arg(long, env = "SUPERCARGO_VERIFY_INTERVAL", value_name = "DURATION", default_value = "6h", value_parser = duration)]
    pub verify_interval: Duration,
    /// How long files stay in the crate store's quarantine, where files go that no version needs, or that are damaged
    ///
    /// Then they are removed for good, and the log names them. One process of an installation looks every six hours, and
    /// moves files there that no version has needed for twelve hours.
    #[arg(long, env = "SUPERCARGO_QUARANTINE_RETENTION", value_name = "DURATION", default_value = "30days", value_parser = retention)]
    pub quarantine_retention: Duration,
    #[command(flatten)]
    pub sentry: SentryOptions,
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 500ms, 2s, 1m or 30days"))
}

/// A time between two looks, which must not be none.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        pause if pause < Duration::from_millis(10) => Err("it is no pause; give it at least 10ms".to_owned()),
        pause => Ok(pause),
    }
}

/// The shortest time in the quarantine. Tests, which have fail points, need not wait for it.
const LEAST_RETENTION: Duration =
    Duration::from_millis(if cfg!(any(debug_assertions, feature = "fail-points")) { 10 } else { 60 * 60 * 1000 });

/// A time that files stay in the quarantine.
fn retention(text: &str) -> Result<Duration, String> {
    at_least(text, LEAST_RETENTION)
}

fn at_least(text: &str, least: Duration) -> Result<Duration, String> {
    match duration(text)? {
        retention if retention < least => Err(format!(
            "files would be removed before anybody can take them back: give it at least {}",
            humantime::format_duration(least)
        )),
        retention => Ok(retention),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("30days"), Ok(Duration::from_secs(30 * 24 * 3600)));
        assert!(duration("5").unwrap_err().contains("500ms"));
    }

    #[test]
    fn a_pause_is_longer_than_none() {
        assert_eq!(pause("20ms"), Ok(Duration::from_millis(20)));
        assert!(pause("0s").unwrap_err().contains("at least 10ms"));
    }

    #[test]
    fn files_stay_in_the_quarantine_for_an_hour_or_longer() {
        let hour = Duration::from_secs(3600);
        assert_eq!(at_least("1h", hour), Ok(hour));
        for short in ["0s", "59m"] {
            let said = "files would be removed before anybody can take them back: give it at least 1h";
            assert_eq!(at_least(short, hour).unwrap_err(), said);
        }
        assert!(retention("0s").unwrap_err().starts_with("files would be removed"));
        assert!(retention("1h").is_ok());
    }
}
