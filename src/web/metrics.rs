//! `/metrics`, in Prometheus' text format.
//!
//! What this process measured comes from its recorder. The state of the queues is read from the database, and so is true for
//! the whole installation, whichever process answers.
//!
//! One thread reads it, with a connection of its own, when somebody asks and what was read is a second old. So however many
//! ask, and however long the database says nothing, they take no thread and no connection that anything else needs. Who
//! asks meanwhile waits three seconds at most, and is then answered without the queues.

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
use metrics_exporter_prometheus::PrometheusHandle;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::database::Pool;
use crate::database::pool::Dedicated;
use crate::database::upkeep::verify_reports::{self, VerifyReport};
use crate::queue::inspection::{self, Gauges};

const PENDING: &str = "supercargo_jobs_pending";
const RUNNING: &str = "supercargo_jobs_running";
const FAILING: &str = "supercargo_jobs_failing";
const DEAD: &str = "supercargo_jobs_dead";
const OLDEST: &str = "supercargo_jobs_oldest_seconds";
const DATABASE_UP: &str = "supercargo_database_up";

const DIFFERENCES: &str = "supercargo_verify_differences";
const VERIFIED_AT: &str = "supercargo_verify_finished_timestamp_seconds";

/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(1);
/// How long the database is waited for: less than a scraper waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is measured, and where it is read.
#[derive(Clone)]
pub struct Metrics(Arc<Parts>);

struct Parts {
    handle: PrometheusHandle,
    /// Asks for a look at the database.
    ask: SyncSender<()>,
    looks: watch::Receiver<Look>,
    text: Mutex<Option<(Instant, Bytes)>>,
}

/// Kinds, each with its queue, that read 0 when nothing is left of them: those of this program, and those that it has met.
type Known = BTreeSet<(String, String)>;

/// A look at the database.
#[derive(Clone, Default)]
struct Look {
    /// When it began, if it has not ended yet.
    under_way: Option<Instant>,
    last: Option<(Instant, Arc<Found>)>,
    known: Arc<Known>,
}

/// What was found; None if the database is away.
type Found = Option<QueueState>;

struct QueueState {
    gauges: Vec<Gauges>,
    verified: Option<VerifyReport>,
}

impl Look {
    fn is_fresh(&self) -> bool {
        self.last.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH)
    }
}

impl Metrics {
    /// `known` are the kinds of this program, each with its queue. The thread that reads the database ends with this.
    pub fn new(
        handle: PrometheusHandle,
        pool: Pool,
        known: Vec<(&'static str, &'static str)>,
    ) -> std::io::Result<Self> {
        metrics::describe_gauge!(PENDING, "Jobs that are owed, the running ones included, in the whole installation");
        metrics::describe_gauge!(RUNNING, "Jobs that a worker holds at this moment, in the whole installation");
        metrics::describe_gauge!(FAILING, "Jobs that are owed and whose last attempt failed");
        metrics::describe_gauge!(DEAD, "Jobs that failed too often and wait for an operator");
        metrics::describe_gauge!(OLDEST, metrics::Unit::Seconds, "Age of the oldest owed job; 0 if there is none");
        metrics::describe_gauge!(
            DATABASE_UP,
            "1 if the state of the queues could be read; 0 if not, and then the queues' values are NaN"
        );
        metrics::describe_gauge!(DIFFERENCES, "Differences that the last verification found and did not repair");
        metrics::describe_gauge!(VERIFIED_AT, metrics::Unit::Seconds, "When the last verification ended, as Unix time");
        let known: Known = known.into_iter().map(|(kind, queue)| (kind.to_owned(), queue.to_owned())).collect();
        let (ask, asked) = sync_channel(1);
        let (told, looks) = watch::channel(Look { known: Arc::new(known), ..Look::default() });
        std::thread::Builder::new().name("look".to_owned()).spawn(move || look_when_asked(&pool, &asked, &told))?;
        Ok(Self(Arc::new(Parts { handle, ask, looks, text: Mutex::new(None) })))
    }

    /// Everything, as text. Without the database it is what this process knows.
    pub async fn text(&self) -> Bytes {
        if let Some((at, text)) = &*self.0.text.lock()
            && at.elapsed() < FRESH
        {
            return text.clone();
        }
        let mut looks = self.0.looks.clone();
        let left = {
            let look = looks.borrow_and_update();
            // Nobody waits longer for a look that hangs than the first who asked for it.
            let left = look.under_way.map_or(PATIENCE, |since| PATIENCE.saturating_sub(since.elapsed()));
            if look.is_fresh() { Duration::ZERO } else { left }
        };
        if !left.is_zero() {
            // It is full if somebody has asked already.
            let _ = self.0.ask.try_send(());
            // What comes of it is looked at below, in time or not.
            let _ = timeout(left, looks.wait_for(Look::is_fresh)).await;
        }
        let look = looks.borrow().clone();
        self.render(&look)
    }

    fn render(&self, look: &Look) -> Bytes {
        let mut text = self.0.text.lock();
        if let Some((at, text)) = &*text
            && at.elapsed() < FRESH
        {
            return text.clone();
        }
        let hangs = look.under_way.is_some_and(|since| since.elapsed() >= PATIENCE);
        match &look.last {
            Some((_, found)) if !hangs => set_found(found.as_ref().as_ref(), &look.known),
            _ => set_found(None, &look.known),
        }
        self.0.handle.run_upkeep();
        let rendered = Bytes::from(self.0.handle.render());
        *text = Some((Instant::now(), rendered.clone()));
        rendered
    }
}

/// FetchRequests as long as somebody may ask.
fn look_when_asked(pool: &Pool, asked: &Receiver<()>, looks: &watch::Sender<Look>) {
    let mut connection = None;
    while asked.recv().is_ok() {
        if looks.borrow().is_fresh() {
            continue;
        }
        let (known, was_away) = {
            let look = looks.borrow();
            let was_away = look.last.as_ref().is_some_and(|(_, found)| found.is_none());
            (Arc::clone(&look.known), was_away)
        };
        looks.send_modify(|look| look.under_way = Some(Instant::now()));
        let found = read(pool, &mut connection, &known).unwrap_or_else(|error| {
            // Whatever the connection is in, the next look has another one.
            connection = None;
            // Once: whoever asks must not fill the log.
            if !was_away {
                tracing::warn!(error, "the state of the queues cannot be measured");
            }
            None
        });
        looks.send_modify(|look| {
            if let Some(QueueState { gauges, .. }) = &found {
                let met = gauges.iter().map(|gauge| (gauge.kind.clone(), gauge.queue.clone()));
                Arc::make_mut(&mut look.known).extend(met);
            }
            look.under_way = None;
            look.last = Some((Instant::now(), Arc::new(found)));
        });
    }
}

fn read(pool: &Pool, connection: &mut Option<Dedicated>, known: &Known) -> Result<Found, String> {
    let connection = match connection {
        Some(connection) => connection,
        None => {
            let mut opened = pool.dedicated().map_err(|error| error.to_string())?;
            if let Dedicated::Own(connection) = &mut opened {
                let set_up = "SET application_name = 'supercargo metrics'; SET statement_timeout = '3s'";
                connection.batch_execute(set_up).map_err(|error| error.to_string())?;
            }
            connection.insert(opened)
        }
    };
    let names: Vec<_> = known.iter().map(|(kind, queue)| (kind.as_str(), queue.as_str())).collect();
    let read = connection.with(|connection| {
        let gauges = inspection::gauges(connection, &names)?;
        Ok::<_, diesel::result::Error>((gauges, verify_reports::newest_finished(connection).unwrap_or(None)))
    });
    let (gauges, verified) = read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    Ok(Some(QueueState { gauges, verified }))
}

fn set_found(found: Option<&QueueState>, known: &Known) {
    match found {
        Some(QueueState { gauges, verified }) => {
            metrics::gauge!(DATABASE_UP).set(1.0);
            gauges.iter().for_each(set);
            if let Some(report) = verified {
                set_verified(report);
            }
        }
        None => {
            metrics::gauge!(DATABASE_UP).set(0.0);
            for (kind, queue) in known {
                set_all(queue, kind, [f64::NAN; 5]);
            }
        }
    }
}

/// What the last verification found, whichever process did it. Nothing before the first.
#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 differences")]
fn set_verified(report: &VerifyReport) {
    metrics::gauge!(DIFFERENCES).set(report.differences as f64);
    let at = report.finished_at.unwrap_or(report.started_at).timestamp();
    metrics::gauge!(VERIFIED_AT).set(at as f64);
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

/// `/metrics`, as a full path.
pub(super) fn router(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(show)).with_state(metrics)
}

async fn show(State(metrics): State<Metrics>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.text().await).into_response()
}
