//! `GET /metrics`: metrics in the Prometheus text format.
//!
//! The process's own metrics come from its recorder. The state of the queues comes from the database and is that of the whole
//! installation, whichever process answers.
//!
//! One thread with a connection of its own reads the database, when a request comes and the last reading is older than a
//! second. So scrapers never use a thread or connection that anything else needs, however many they are and however long the
//! database hangs. A request waits for at most three seconds and is then answered without the state of the queues.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use diesel::connection::SimpleConnection;
use diesel::{PgConnection, QueryResult};
use metrics_exporter_prometheus::PrometheusHandle;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::database::Pool;
use crate::database::advisories::sources::Source;
use crate::database::advisories::{known, sources};
use crate::database::catalog::descriptions;
use crate::database::pool::Dedicated;
use crate::database::upkeep::verify_reports::{self, VerifyReport};
use crate::queue::inspection::{self, Gauges};

const PENDING: &str = "supercargo_jobs_pending";
const RUNNING: &str = "supercargo_jobs_running";
const FAILING: &str = "supercargo_jobs_failing";
const DEAD: &str = "supercargo_jobs_dead";
const OLDEST: &str = "supercargo_jobs_oldest_seconds";
const DATABASE_UP: &str = "supercargo_database_up";

const DESCRIPTIONS: &str = "supercargo_descriptions_pending";

const DIFFERENCES: &str = "supercargo_verify_differences";
const VERIFIED_AT: &str = "supercargo_verify_finished_timestamp_seconds";

const ADVISORIES: &str = "supercargo_advisories";
const ADVISORIES_READ_AT: &str = "supercargo_advisories_refreshed_timestamp_seconds";

/// How long a reading is reused.
const FRESH: Duration = Duration::from_secs(1);
/// How long a request waits for the database: less than a scraper waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// The source of the metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Parts>);

/// What is measured when the metrics are read.
pub type Sample = Box<dyn Fn() + Send + Sync>;

struct Parts {
    handle: PrometheusHandle,
    sample: Sample,
    /// Requests a reading of the database.
    requests: SyncSender<()>,
    readings: watch::Receiver<Readings>,
    text: Mutex<Option<(Instant, Bytes)>>,
}

/// Kinds of jobs, each with its queue, that are 0 if there are no jobs: those of this version, and those seen before.
type KnownKinds = BTreeSet<(String, String)>;

/// The last reading of the database.
#[derive(Clone, Default)]
struct Readings {
    /// When the current reading began, if there is one.
    started: Option<Instant>,
    last: Option<(Instant, Arc<Found>)>,
    known: Arc<KnownKinds>,
}

/// The state of the queues; None if the database is unavailable.
type Found = Option<QueueState>;

struct QueueState {
    gauges: Vec<Gauges>,
    descriptions: i64,
    verified: Option<VerifyReport>,
    /// How many count of each upstream that has a source.
    advisories: Vec<(Source, i64)>,
}

impl Readings {
    fn is_fresh(&self) -> bool {
        self.last.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH)
    }
}

impl Metrics {
    /// Starts the thread that reads the database; it ends when all clones are dropped. `known` are the kinds of jobs of this
    /// version, each with its queue. `sample` measures what this process has in memory, and `examine` what may block, on the
    /// thread that reads the database.
    pub fn new(
        handle: PrometheusHandle,
        pool: Pool,
        known: Vec<(&'static str, &'static str)>,
        (sample, examine): (Sample, Sample),
    ) -> std::io::Result<Self> {
        metrics::describe_gauge!(PENDING, "Pending jobs of the whole installation, including running ones");
        metrics::describe_gauge!(RUNNING, "Jobs of the whole installation that a worker is running");
        metrics::describe_gauge!(FAILING, "Pending jobs whose last attempt failed");
        metrics::describe_gauge!(DEAD, "Dead jobs: they failed too often and need an operator");
        metrics::describe_gauge!(OLDEST, metrics::Unit::Seconds, "Age of the oldest pending job; 0 if there is none");
        metrics::describe_gauge!(
            DATABASE_UP,
            "1 if the state of the queues could be read from the database; 0 if not, and their values are NaN"
        );
        metrics::describe_gauge!(DESCRIPTIONS, "Crates whose description is to be written after a publish or a yank");
        metrics::describe_gauge!(
            DIFFERENCES,
            "Differences that the last finished verification found and did not repair"
        );
        metrics::describe_gauge!(
            VERIFIED_AT,
            metrics::Unit::Seconds,
            "End of the last finished verification, as Unix time"
        );
        metrics::describe_gauge!(ADVISORIES, "Advisories about crates of an upstream that are not withdrawn");
        metrics::describe_gauge!(
            ADVISORIES_READ_AT,
            metrics::Unit::Seconds,
            "The last time that the source of the advisories about an upstream was read, as Unix time"
        );
        let known: KnownKinds = known.into_iter().map(|(kind, queue)| (kind.to_owned(), queue.to_owned())).collect();
        let (requests, requested) = sync_channel(1);
        let (sender, readings) = watch::channel(Readings { known: Arc::new(known), ..Readings::default() });
        std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || read_on_request(&pool, &requested, &sender, &examine))?;
        Ok(Self(Arc::new(Parts { handle, sample, requests, readings, text: Mutex::new(None) })))
    }

    /// All metrics as text; without the database, those of this process.
    pub async fn text(&self) -> Bytes {
        if let Some((at, text)) = &*self.0.text.lock()
            && at.elapsed() < FRESH
        {
            return text.clone();
        }
        let mut readings = self.0.readings.clone();
        let left = {
            let reading = readings.borrow_and_update();
            // All requests stop waiting for a reading that hangs when the first one does.
            let left = reading.started.map_or(PATIENCE, |since| PATIENCE.saturating_sub(since.elapsed()));
            if reading.is_fresh() { Duration::ZERO } else { left }
        };
        if !left.is_zero() {
            // The channel is full if a reading is requested already.
            let _ = self.0.requests.try_send(());
            // Whether it came in time is checked below.
            let _ = timeout(left, readings.wait_for(Readings::is_fresh)).await;
        }
        let reading = readings.borrow().clone();
        self.render(&reading)
    }

    fn render(&self, reading: &Readings) -> Bytes {
        let mut text = self.0.text.lock();
        if let Some((at, text)) = &*text
            && at.elapsed() < FRESH
        {
            return text.clone();
        }
        let hangs = reading.started.is_some_and(|since| since.elapsed() >= PATIENCE);
        match &reading.last {
            Some((_, found)) if !hangs => set_found(found.as_ref().as_ref(), &reading.known),
            _ => set_found(None, &reading.known),
        }
        (self.0.sample)();
        self.0.handle.run_upkeep();
        let rendered = Bytes::from(self.0.handle.render());
        *text = Some((Instant::now(), rendered.clone()));
        rendered
    }
}

/// Reads the database on request, until all senders of requests are dropped.
fn read_on_request(
    pool: &Pool,
    requested: &Receiver<()>,
    readings: &watch::Sender<Readings>,
    examine: &(dyn Fn() + Send + Sync),
) {
    let mut connection = None;
    while requested.recv().is_ok() {
        if readings.borrow().is_fresh() {
            continue;
        }
        let (known, was_unavailable) = {
            let reading = readings.borrow();
            let was_unavailable = reading.last.as_ref().is_some_and(|(_, found)| found.is_none());
            (Arc::clone(&reading.known), was_unavailable)
        };
        readings.send_modify(|reading| reading.started = Some(Instant::now()));
        examine();
        let found = read(pool, &mut connection, &known).unwrap_or_else(|error| {
            // The connection may be unusable; the next reading opens another one.
            connection = None;
            // Once, so that scrapers do not fill the log.
            if !was_unavailable {
                tracing::warn!(error, "cannot read the state of the queues");
            }
            None
        });
        readings.send_modify(|reading| {
            if let Some(QueueState { gauges, .. }) = &found {
                let met = gauges.iter().map(|gauge| (gauge.kind.clone(), gauge.queue.clone()));
                Arc::make_mut(&mut reading.known).extend(met);
            }
            reading.started = None;
            reading.last = Some((Instant::now(), Arc::new(found)));
        });
    }
}

fn read(pool: &Pool, connection: &mut Option<Dedicated>, known: &KnownKinds) -> Result<Found, String> {
    let connection = match connection {
        Some(connection) if !connection.is_outdated() => connection,
        _ => {
            let mut opened = pool.dedicated().map_err(|error| error.to_string())?;
            if matches!(opened, Dedicated::Own(_)) {
                let set_up = "SET application_name = 'supercargo metrics'; SET statement_timeout = '3s'";
                let set = opened.with(|connection| connection.batch_execute(set_up));
                set.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            }
            connection.insert(opened)
        }
    };
    let names: Vec<_> = known.iter().map(|(kind, queue)| (kind.as_str(), queue.as_str())).collect();
    let read = connection.with(|connection| {
        let gauges = inspection::gauges(connection, &names)?;
        let descriptions = descriptions::count_pending(connection)?;
        let verified = verify_reports::newest_finished(connection).unwrap_or(None);
        let advisories = advisories(connection)?;
        Ok::<_, diesel::result::Error>(QueueState { gauges, descriptions, verified, advisories })
    });
    Ok(Some(read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?))
}

fn advisories(connection: &mut PgConnection) -> QueryResult<Vec<(Source, i64)>> {
    let sources = sources::list(connection)?;
    let counts = if sources.is_empty() { Vec::new() } else { known::counts(connection)? };
    let count =
        |of: &Source| counts.iter().find(|(upstream, _)| *upstream == of.upstream).map_or(0, |(_, count)| *count);
    Ok(sources
        .into_iter()
        .map(|source| {
            let count = count(&source);
            (source, count)
        })
        .collect())
}

fn set_found(found: Option<&QueueState>, known: &KnownKinds) {
    match found {
        Some(QueueState { gauges, descriptions, verified, advisories }) => {
            metrics::gauge!(DATABASE_UP).set(1.0);
            set_descriptions(*descriptions);
            gauges.iter().for_each(set);
            advisories.iter().for_each(set_advisories);
            if let Some(report) = verified {
                set_verified(report);
            }
        }
        None => {
            metrics::gauge!(DATABASE_UP).set(0.0);
            metrics::gauge!(DESCRIPTIONS).set(f64::NAN);
            for (kind, queue) in known {
                set_all(queue, kind, [f64::NAN; 5]);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no registry has 2^52 crates")]
fn set_descriptions(pending: i64) {
    metrics::gauge!(DESCRIPTIONS).set(pending as f64);
}

/// Sets the metrics of the last finished verification of any process. There are none before the first.
#[expect(clippy::cast_precision_loss, reason = "no registry has 2^52 differences")]
fn set_verified(report: &VerifyReport) {
    metrics::gauge!(DIFFERENCES).set(report.differences as f64);
    let at = report.finished_at.unwrap_or(report.started_at).timestamp();
    metrics::gauge!(VERIFIED_AT).set(at as f64);
}

/// Sets the metrics of one source. There is no time before the first refresh.
#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 advisories and seconds")]
fn set_advisories((source, count): &(Source, i64)) {
    metrics::gauge!(ADVISORIES, "upstream" => source.upstream.clone()).set(*count as f64);
    if let Some(at) = source.refreshed_at {
        metrics::gauge!(ADVISORIES_READ_AT, "upstream" => source.upstream.clone()).set(at.timestamp() as f64);
    }
}

#[expect(clippy::cast_precision_loss, reason = "no registry has 2^52 jobs")]
fn set(gauge: &Gauges) {
    let counts = [gauge.pending, gauge.running, gauge.failing, gauge.dead].map(|count| count as f64);
    set_all(&gauge.queue, &gauge.kind, [counts[0], counts[1], counts[2], counts[3], gauge.oldest_seconds]);
}

fn set_all(queue: &str, kind: &str, values: [f64; 5]) {
    for (name, value) in [PENDING, RUNNING, FAILING, DEAD, OLDEST].into_iter().zip(values) {
        metrics::gauge!(name, "queue" => queue.to_owned(), "kind" => kind.to_owned()).set(value);
    }
}

/// The route of `/metrics`.
pub(super) fn router(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(show)).with_state(metrics)
}

async fn show(State(metrics): State<Metrics>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.text().await).into_response()
}
