//! `/metrics`, in Prometheus' text format.
//!
//! What this process measured comes from its recorder. The state of the queues is read from the database each time, and
//! so is true for the whole installation, whichever process answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use parking_lot::Mutex;

use super::ApiError;
use crate::database::{Pool, verify_reports};
use crate::queue::inspection::{self, Gauges};

const PENDING: &str = "supercargo_jobs_pending";
const RUNNING: &str = "supercargo_jobs_running";
const FAILING: &str = "supercargo_jobs_failing";
const DEAD: &str = "supercargo_jobs_dead";
const OLDEST: &str = "supercargo_jobs_oldest_seconds";
const DATABASE_UP: &str = "supercargo_database_up";

const DIFFERENCES: &str = "supercargo_verify_differences";
const VERIFIED_AT: &str = "supercargo_verify_finished_timestamp_seconds";

/// How long the database is waited for: less than a scraper waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is measured, and where it is read.
#[derive(Clone)]
pub struct Metrics(Arc<Parts>);

struct Parts {
    handle: PrometheusHandle,
    pool: Pool,
    /// Kinds, each with its queue, that read 0 when nothing is left of them: those of this program, and those it has met.
    known: Mutex<BTreeSet<(String, String)>>,
}

impl Metrics {
    /// `known` are the kinds of this program, each with its queue.
    pub fn new(handle: PrometheusHandle, pool: Pool, known: Vec<(&'static str, &'static str)>) -> Self {
        metrics::describe_gauge!(PENDING, "Jobs that are owed, the running ones included, in the whole installation");
        metrics::describe_gauge!(RUNNING, "Jobs that a worker holds at this moment, in the whole installation");
        metrics::describe_gauge!(FAILING, "Jobs that are owed and whose last attempt failed");
        metrics::describe_gauge!(DEAD, "Jobs that failed too often and wait for an operator");
        metrics::describe_gauge!(OLDEST, metrics::Unit::Seconds, "Age of the oldest owed job; 0 if there is none");
        metrics::describe_gauge!(DATABASE_UP, "1 if the state of the queues could be read, else 0, and it reads NaN");
        metrics::describe_gauge!(DIFFERENCES, "Differences that the last verification found and did not repair");
        metrics::describe_gauge!(VERIFIED_AT, metrics::Unit::Seconds, "When the last verification ended, as Unix time");
        let known = known.into_iter().map(|(kind, queue)| (kind.to_owned(), queue.to_owned())).collect();
        Self(Arc::new(Parts { handle, pool, known: Mutex::new(known) }))
    }

    /// Everything, as text. Without the database it is what this process knows.
    pub fn render(&self) -> String {
        match self.read_gauges() {
            Ok(gauges) => {
                metrics::gauge!(DATABASE_UP).set(1.0);
                gauges.iter().for_each(set);
            }
            Err(error) => {
                tracing::warn!(error, "the state of the queues can't be measured");
                metrics::gauge!(DATABASE_UP).set(0.0);
                for (kind, queue) in &*self.0.known.lock() {
                    set_all(queue, kind, [f64::NAN; 5]);
                }
            }
        }
        self.set_verified();
        self.0.handle.run_upkeep();
        self.0.handle.render()
    }

    /// What the last verification found, whichever process did it. Nothing before the first.
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 differences")]
    fn set_verified(&self) {
        if let Ok(Ok(Some(report))) = self.0.pool.with_within(PATIENCE, verify_reports::newest_finished) {
            metrics::gauge!(DIFFERENCES).set(report.differences as f64);
            let at = report.finished_at.unwrap_or(report.started_at).timestamp();
            metrics::gauge!(VERIFIED_AT).set(at as f64);
        }
    }

    fn read_gauges(&self) -> Result<Vec<Gauges>, String> {
        let mut known = self.0.known.lock();
        let names: Vec<_> = known.iter().map(|(kind, queue)| (kind.as_str(), queue.as_str())).collect();
        let read = self.0.pool.with_within(PATIENCE, |connection| inspection::gauges(connection, &names));
        let gauges = read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        known.extend(gauges.iter().map(|gauge| (gauge.kind.clone(), gauge.queue.clone())));
        Ok(gauges)
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 jobs")]
fn set(gauge: &Gauges) {
    let counts = [gauge.pending, gauge.running, gauge.failing, gauge.dead].map(|count| count as f64);
    set_all(&gauge.queue, &gauge.kind, [counts[0], counts[1], counts[2], counts[3], gauge.oldest_seconds]);
}

fn set_all(queue: &str, kind: &str, values: [f64; 5]) {
    for (name, value) in [PENDING, RUNNING, FAILING, DEAD, OLDEST].into_iter().zip(values) {
        metrics::gauge!(name, "queue" => queue.to_owned(), "kind" => kind.to_owned()).set(value);
    }
}

/// Serves `/metrics` and nothing else.
pub fn router(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(show)).with_state(metrics)
}

async fn show(State(metrics): State<Metrics>) -> Result<Response, ApiError> {
    let text = tokio::task::spawn_blocking(move || metrics.render()).await.map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
