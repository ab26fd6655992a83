//! `/health/live` and `/health/ready`, for load balancers, orchestrators and monitors.
//!
//! *Live* means only that the process answers: an orchestrator that restarts processes that are not live must not restart a
//! registry again and again because its database is unavailable. *Ready* means that requests should be sent here. Neither
//! needs a token, even in a private registry, so the responses have states only; the log has the causes.
//!
//! A check is reused for a second, and only one runs at a time: a part that hangs blocks one thread and not one for each
//! request. The check has a thread of its own, so that it runs even if all others are busy.

use std::fmt::Display;
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
use crate::error_chain::ErrorChain;
use crate::index::{ConfigJson, View};
use crate::queue::{QueueWorkers, WorkersView, trouble};
use crate::web::export_state::{Behind, ExportState};

/// How long a check is reused.
const FRESH: Duration = Duration::from_secs(1);
/// How long a check waits for the parts: less than usual clients wait.
const PATIENCE: Duration = Duration::from_secs(3);

/// The health of this process.
#[derive(Clone)]
pub struct Health(Arc<Parts>);

struct Parts {
    checked: Checked,
    stopping: AtomicBool,
    /// Whether a check is running.
    checking: Arc<AtomicBool>,
    last: Mutex<Option<(Instant, Report)>>,
    workers: OnceLock<WorkersView>,
    export: OnceLock<ExportState>,
}

/// The parts that are checked.
#[derive(Clone)]
struct Checked {
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
    /// The copy of the index, if this process exports it. A copy that is behind is no reason to send requests elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    index_export: Option<Behind>,
    /// What is wrong, for the log: it may name hosts.
    #[serde(skip)]
    problems: Vec<Problem>,
}

/// What is wrong with a part.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    part: &'static str,
    text: String,
}

/// The state of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
enum PartState {
    Ok,
    Failed,
    /// It did not answer in time.
    NoAnswer,
    /// This process runs the jobs of all queues, or stands by to run them.
    Working,
    /// Other processes (`supercargo worker`) run the jobs.
    Elsewhere,
    /// No process runs jobs, and this one is not to. Reads are answered and publishes are accepted all the same, so it does
    /// not take this process out of a load balancer: `supercargo monitor` reports it.
    None,
}

impl PartState {
    fn is_good(self) -> bool {
        !matches!(self, Self::Failed | Self::NoAnswer)
    }

    fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Report {
    fn of(parts: [PartState; 4]) -> Self {
        let [database, index, store, worker] = parts;
        let status = if parts.into_iter().all(PartState::is_good) { "ready" } else { "not ready" };
        Self { status, database, index, store, worker, index_export: None, problems: Vec::new() }
    }

    /// Logs a change. A registry that starts becomes ready a moment after its first answer, so that is no warning.
    fn log(&self) {
        match self.troubles() {
            none if none.is_empty() => tracing::info!("the registry is ready"),
            troubles => tracing::warn!("the registry is not ready: {troubles}"),
        }
    }

    /// The parts that are not good, as in the answer.
    fn troubles(&self) -> String {
        let parts =
            [("database", self.database), ("index", self.index), ("store", self.store), ("worker", self.worker)];
        let troubled = parts.into_iter().filter(|(_, state)| !state.is_good());
        let described = troubled.map(|(part, state)| {
            let known = self.problems.iter().find(|problem| problem.part == part);
            let problem = known.map_or(String::new(), |problem| format!(" ({})", problem.text));
            format!("{part}: {}{problem}", state.as_str())
        });
        described.collect::<Vec<_>>().join(", ")
    }
}

impl Health {
    pub fn new(pool: Pool, view: View, crate_store: CrateStore) -> Self {
        Self(Arc::new(Parts {
            checked: Checked { pool, view, crate_store },
            stopping: AtomicBool::default(),
            checking: Arc::default(),
            last: Mutex::default(),
            workers: OnceLock::new(),
            export: OnceLock::new(),
        }))
    }

    /// Includes the workers of this process from now on.
    pub fn attend(&self, workers: WorkersView) {
        // Set once, at the start.
        let _ = self.0.workers.set(workers);
    }

    /// Includes the state of the copy of the index from now on.
    pub fn attend_export(&self, state: ExportState) {
        // Set once, at the start.
        let _ = self.0.export.set(state);
    }

    /// The workers of this process; None if it has none.
    pub fn workers(&self) -> Option<Vec<QueueWorkers>> {
        self.0.workers.get().map(WorkersView::look)
    }

    /// Reports `stopping` from now on: the process is about to end.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    async fn report(&self) -> Report {
        let mut last = self.0.last.lock().await;
        let report = match &*last {
            Some((at, report)) if at.elapsed() < FRESH => report.clone(),
            before => {
                let report = self.check().await;
                if before.as_ref().is_some_and(|(_, before)| before.status != report.status) {
                    report.log();
                }
                *last = Some((Instant::now(), report.clone()));
                report
            }
        };
        let index_export = self.0.export.get().and_then(ExportState::get);
        let report = Report { index_export, ..report };
        if self.0.stopping.load(Ordering::Acquire) { Report { status: "stopping", ..report } } else { report }
    }

    async fn check(&self) -> Report {
        let worker = self.worker();
        let silent = PartState::NoAnswer;
        let hung = Report::of([silent, silent, silent, worker.unwrap_or(silent)]);
        if self.0.checking.swap(true, Ordering::AcqRel) {
            return hung;
        }
        let checked = self.0.checked.clone();
        let guard = Checking(Arc::clone(&self.0.checking));
        let (sender, receiver) = oneshot::channel();
        let thread = std::thread::Builder::new().name("health".to_owned());
        let started = thread.spawn(move || {
            let mut problems = Vec::new();
            let (database, others) = checked.database(worker.is_none(), &mut problems);
            let (index, store) = (checked.index(&mut problems), checked.store(&mut problems));
            let report = Report { problems, ..Report::of([database, index, store, worker.unwrap_or(others)]) };
            drop(guard);
            // The receiver is gone when the request has timed out.
            let _ = sender.send(report);
        });
        if let Err(error) = started {
            tracing::warn!(%error, "cannot start the thread of a health check");
            return hung;
        }
        // The sender is dropped after a panic.
        tokio::time::timeout(PATIENCE, receiver).await.ok().and_then(Result::ok).unwrap_or(hung)
    }

    /// The workers of this process; None if it has none. Failed if a queue has no thread with a database connection.
    fn worker(&self) -> Option<PartState> {
        let queues = self.0.workers.get()?.look();
        let works = queues.iter().all(|queue| queue.connected > 0);
        Some(if works { PartState::Working } else { PartState::Failed })
    }
}

/// Exists while a check is running.
struct Checking(Arc<AtomicBool>);

impl Drop for Checking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Checked {
    /// The database, and the workers of other processes, for which it is asked if this process has none.
    fn database(&self, asks_for_workers: bool, problems: &mut Vec<Problem>) -> (PartState, PartState) {
        let selected = self.pool.with_within(PATIENCE / 2, |connection| {
            diesel::sql_query("SELECT 1").execute(connection)?;
            if asks_for_workers { trouble::workers(connection) } else { Ok(Vec::new()) }
        });
        let error = match &selected {
            Ok(Ok(workers)) if workers.is_empty() => return (PartState::Ok, PartState::None),
            Ok(Ok(_)) => return (PartState::Ok, PartState::Elsewhere),
            Ok(Err(error)) => failed("database", ErrorChain::of(error), problems),
            Err(error) => failed("database", ErrorChain::of(error), problems),
        };
        (error, error)
    }

    fn index(&self, problems: &mut Vec<Problem>) -> PartState {
        // Not what memory has.
        let index = self.view.index().on_disk();
        match index.head().and_then(|head| index.find(&head, ConfigJson::PATH)) {
            Ok(Some(_)) => PartState::Ok,
            Ok(None) => failed("index", "it has no config.json", problems),
            Err(error) => failed("index", ErrorChain::of(&error), problems),
        }
    }

    fn store(&self, problems: &mut Vec<Problem>) -> PartState {
        match self.crate_store.check() {
            Ok(()) => PartState::Ok,
            Err(error) => failed("store", ErrorChain::of(&error), problems),
        }
    }
}

fn failed(part: &'static str, error: impl Display, problems: &mut Vec<Problem>) -> PartState {
    // Messages of libpq have several lines.
    let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    tracing::debug!(part, error = text, "not ready");
    problems.push(Problem { part, text });
    PartState::Failed
}

/// The routes of both.
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
