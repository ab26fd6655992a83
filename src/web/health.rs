//! `/health/live` and `/health/ready`: for load balancers, orchestrators and monitors.
//!
//! *Live* is the process that answers, and nothing else: whoever restarts what is not live would restart a registry over
//! and over because its database is away. *Ready* is a registry to which requests should be sent. Both answer without a
//! token, also where everything else wants one, and so tell nothing but states: what failed and why is in the log.
//!
//! A look is kept for a second, however many ask, and only one is under way at a time: a part that hangs ties up one
//! thread and not one for each question. That thread is made for the look, so that it is there whatever else waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use diesel::RunQueryDsl;
use serde::Serialize;
use tokio::sync::{Mutex, oneshot};

use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::index::{ConfigJson, View};
use crate::queue::{Failure, JobError, WorkersView};

/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(1);
/// How long the parts are waited for: less than those who ask usually wait.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is known of this process's health.
#[derive(Clone)]
pub struct Health(Arc<Parts>);

struct Parts {
    looked_at: LookedAt,
    stopping: AtomicBool,
    /// A look is under way.
    looking: Arc<AtomicBool>,
    last: Mutex<Option<(Instant, Report)>>,
    workers: OnceLock<WorkersView>,
}

/// What a look is taken at.
#[derive(Clone)]
struct LookedAt {
    pool: Pool,
    view: View,
    crate_store: CrateStore,
}

/// The answer of `/health/ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Report {
    /// `ready`, `not ready` or `stopping`.
    status: &'static str,
    database: PartState,
    index: PartState,
    store: PartState,
    worker: PartState,
}

/// How one part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum PartState {
    Ok,
    Failed,
    /// It did not say within the time.
    NoAnswer,
    /// This process takes the jobs of all queues, or stands by to do so.
    Working,
    /// The jobs are left to `supercargo worker`.
    Elsewhere,
}

impl PartState {
    fn is_good(self) -> bool {
        !matches!(self, Self::Failed | Self::NoAnswer)
    }
}

impl Report {
    fn of(parts: [PartState; 4]) -> Self {
        let [database, index, store, worker] = parts;
        let status = if parts.into_iter().all(PartState::is_good) { "ready" } else { "not ready" };
        Self { status, database, index, store, worker }
    }
}

impl Health {
    pub fn new(pool: Pool, view: View, crate_store: CrateStore) -> Self {
        Self(Arc::new(Parts {
            looked_at: LookedAt { pool, view, crate_store },
            stopping: AtomicBool::default(),
            looking: Arc::default(),
            last: Mutex::default(),
            workers: OnceLock::new(),
        }))
    }

    /// From now on the workers of this process count.
    pub fn attend(&self, workers: WorkersView) {
        // Set once, at the start.
        let _ = self.0.workers.set(workers);
    }

    /// From now on it is not ready: the process is about to end.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    async fn report(&self) -> Report {
        let mut last = self.0.last.lock().await;
        let report = match &*last {
            Some((at, report)) if at.elapsed() < FRESH => report.clone(),
            before => {
                let report = self.look().await;
                if before.as_ref().is_some_and(|(_, before)| before.status != report.status) {
                    tracing::warn!(?report, "the registry is {}", report.status);
                }
                *last = Some((Instant::now(), report.clone()));
                report
            }
        };
        if self.0.stopping.load(Ordering::Acquire) { Report { status: "stopping", ..report } } else { report }
    }

    async fn look(&self) -> Report {
        let worker = self.worker();
        let hung = Report::of([PartState::NoAnswer, PartState::NoAnswer, PartState::NoAnswer, worker]);
        if self.0.looking.swap(true, Ordering::AcqRel) {
            return hung;
        }
        let looked_at = self.0.looked_at.clone();
        let looking = Looking(Arc::clone(&self.0.looking));
        let (tell, told) = oneshot::channel();
        let thread = std::thread::Builder::new().name("health".to_owned());
        let started = thread.spawn(move || {
            let report = Report::of([looked_at.database(), looked_at.index(), looked_at.store(), worker]);
            drop(looking);
            // The receiver is gone when nobody waits any more.
            let _ = tell.send(report);
        });
        if let Err(error) = started {
            tracing::warn!(%error, "no thread could be started to look at the registry's health");
            return hung;
        }
        // It is dropped unsent after a panic.
        tokio::time::timeout(PATIENCE, told).await.ok().and_then(Result::ok).unwrap_or(hung)
    }

    /// A queue without a thread that talks to the database has nobody.
    fn worker(&self) -> PartState {
        match self.0.workers.get() {
            None => PartState::Elsewhere,
            Some(workers) if workers.look().iter().all(|queue| queue.connected > 0) => PartState::Working,
            Some(_) => PartState::Failed,
        }
    }
}

/// There while a look is under way.
struct Looking(Arc<AtomicBool>);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl LookedAt {
    fn database(&self) -> PartState {
        let asked = self.pool.with_within(PATIENCE / 2, |connection| diesel::sql_query("SELECT 1").execute(connection));
        match asked {
            Ok(Ok(_)) => PartState::Ok,
            Ok(Err(error)) => failed("database", &JobError::failed(error).failure()),
            Err(error) => failed("database", &JobError::failed(error).failure()),
        }
    }

    fn index(&self) -> PartState {
        match self.view.find(ConfigJson::PATH) {
            Ok(Some(_)) => PartState::Ok,
            Ok(None) => failed("index", &JobError::failed("it has no config.json").failure()),
            Err(error) => failed("index", &JobError::failed(error).failure()),
        }
    }

    fn store(&self) -> PartState {
        match self.crate_store.check() {
            Ok(()) => PartState::Ok,
            Err(error) => failed("store", &JobError::failed(error).failure()),
        }
    }
}

fn failed(part: &str, error: &Failure) -> PartState {
    tracing::debug!(part, %error, "not ready");
    PartState::Failed
}

/// Both, as full paths.
pub(super) fn router(health: Health) -> Router {
    Router::new().route("/health/live", get(live)).route("/health/ready", get(ready)).with_state(health)
}

async fn live() -> Response {
    Json(serde_json::json!({ "status": "live" })).into_response()
}

async fn ready(State(health): State<Health>) -> Response {
    let report = health.report().await;
    let status = if report.status == "ready" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}
