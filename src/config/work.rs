//! Options of processes that run jobs: `serve` and `worker`.

use std::time::Duration;

use clap::Args;
use ipnet::IpNet;

use super::durations::{duration, pause};
use super::http::network;
use super::listen_address::{ListenAddress, listen_address};
use super::{
    AdvisoryOptions, CrateStoreOptions, EmailOptions, IndexExportOptions, IndexOptions, OtlpOptions, SentryOptions,
    StorageOptions,
};

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

impl WorkerOptions {
    /// Refuses options that do not go together.
    pub fn check(&self) -> Result<(), String> {
        self.index.check()?;
        self.work.index_export.check(self.crate_store.crate_store.as_ref(), false)?;
        self.crate_store.check(self.work.index_export.index_export.is_some())
    }
}

/// The options that `serve` and `worker` have in common.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Jobs")]
pub struct WorkOptions {
    /// Separate address and port for /metrics (Prometheus) and /health/
    ///
    /// The forms are those of --listen. It has its own connections and thread, so that requests to the registry cannot
    /// exhaust them; port 0 picks a free port. Without this option `serve` has both on --listen, and `worker` has neither. Metrics contain no names of
    /// crates or users.
    #[arg(long, help_heading = "Monitoring", env = "SUPERCARGO_METRICS_LISTEN", value_name = "ADDR", value_parser = listen_address)]
    pub metrics_listen: Option<ListenAddress>,
    /// How long to keep the records of finished and failed jobs, and of deliveries to webhooks
    #[arg(long, hide = true, env = "SUPERCARGO_HISTORY_RETENTION", value_name = "DURATION", default_value = "30days", value_parser = duration)]
    pub history_retention: Duration,
    /// Maximum run time of a job, if below the time limit of its kind
    #[arg(long, env = "SUPERCARGO_JOB_TIME_LIMIT", value_name = "DURATION", value_parser = pause, hide = true)]
    pub job_time_limit: Option<Duration>,
    /// How often to verify the registry; 0s for never
    ///
    /// Checks that database, index and crate files agree, as `verify --light` does. One process of an installation
    /// verifies, at up to 500 crates per second. The result is in the log, in /metrics and in the table verify_reports.
    #[arg(long, env = "SUPERCARGO_VERIFY_INTERVAL", value_name = "DURATION", default_value = "6h", value_parser = duration)]
    pub verify_interval: Duration,
    /// How long to keep unused and damaged crate files in quarantine
    ///
    /// After that they are deleted, and the log lists them. One process of an installation checks every six hours, and
    /// moves files to the quarantine that no version has used for twelve hours.
    #[arg(long, hide = true, env = "SUPERCARGO_QUARANTINE_RETENTION", value_name = "DURATION", default_value = "30days", value_parser = retention)]
    pub quarantine_retention: Duration,
    /// Networks that webhooks may reach beside the Internet, also over plain HTTP, separated by commas
    ///
    /// Without this option deliveries reach public addresses over HTTPS only: users add webhooks, and must not reach through
    /// them what the registry's own network protects.
    #[arg(long, hide = true, help_heading = "Webhooks", env = "SUPERCARGO_WEBHOOK_ALLOW", value_name = "NET", value_delimiter = ',', value_parser = network)]
    pub webhook_allow: Vec<IpNet>,
    #[command(flatten)]
    pub index_export: IndexExportOptions,
    #[command(flatten)]
    pub advisories: AdvisoryOptions,
    #[command(flatten)]
    pub email: EmailOptions,
    #[command(flatten)]
    pub otlp: OtlpOptions,
    #[command(flatten)]
    pub sentry: SentryOptions,
}

/// The shortest time in quarantine. Builds with fail points, for tests, allow a shorter one.
const LEAST_RETENTION: Duration =
    Duration::from_millis(if cfg!(any(debug_assertions, feature = "fail-points")) { 10 } else { 60 * 60 * 1000 });

/// Parses the time that files stay in quarantine.
fn retention(text: &str) -> Result<Duration, String> {
    at_least(text, LEAST_RETENTION)
}

fn at_least(text: &str, least: Duration) -> Result<Duration, String> {
    match duration(text)? {
        retention if retention < least => {
            Err(format!("too short to get a file back: use at least {}", humantime::format_duration(least)))
        }
        retention => Ok(retention),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_in_quarantine_for_at_least_an_hour() {
        let hour = Duration::from_secs(3600);
        assert_eq!(at_least("1h", hour), Ok(hour));
        for short in ["0s", "59m"] {
            let said = "too short to get a file back: use at least 1h";
            assert_eq!(at_least(short, hour).unwrap_err(), said);
        }
        assert!(retention("0s").unwrap_err().starts_with("too short"));
        assert!(retention("1h").is_ok());
    }
}
