//! Claim, perform, record; threads and shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel::PgConnection;
use diesel::QueryableByName;
use diesel::RunQueryDsl;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Text};

use super::connection::{ConnectionSource, Lend, LendExt};
use super::performing::{begin, catch_panic, commit, depth, unwind_to};
use super::registry::{Group, Registry, Run, Verdicts};
use super::storage::{self, DueJob};
use super::{Completions, JobError, JobId, Wakeups};

/// How far a claim moves the due time of fresh rows: longer than the microseconds between touch and hold, short enough
/// that a worker killed there is hardly missed.
const GAP: Duration = Duration::from_secs(3);
/// Rows with this many starts behind them are run alone.
const SUSPECT: i32 = 2;
/// How long a job waits after a failure that was everybody's, unless a success wakes it earlier.
const SHARED_BACKOFF: Duration = Duration::from_secs(5);
/// How long the second step of a claim waits for a lock.
const HOLD_TIMEOUT: Duration = Duration::from_secs(2);
/// How often an idle worker looks for itself.
const POLL: Duration = Duration::from_secs(1);
/// Added to the longest time limit of a queue before the database ends a silent session.
const IDLE_MARGIN: Duration = Duration::from_secs(15);
/// How often a worker that can't reach the database tries again: it waits up to this long.
const RECONNECT_CAP: Duration = Duration::from_secs(5);

/// Performs the jobs of a registry.
pub struct Runner<Env> {
    inner: Arc<Inner<Env>>,
}

struct Inner<Env> {
    registry: Registry<Env>,
    environment: Env,
    source: Box<dyn ConnectionSource>,
    wakeups: Wakeups,
    completions: Completions,
    worker: String,
    stopping: AtomicBool,
}

/// What a pass over all due jobs did.
#[derive(Debug, Default)]
pub struct Drained {
    /// Jobs that are done.
    pub done: Vec<JobId>,
    /// Jobs that failed, with the text that was written to their rows.
    pub failed: Vec<(JobId, String)>,
}

/// Why a turn of the runner came to nothing. The rows are as they were, except for the counted start.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    #[error("no connection to the database: {0}")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the queue's database failed")]
    Database(#[from] diesel::result::Error),
}

enum Turn {
    Idle,
    Worked(Drained),
}

impl<Env: Send + Sync + 'static> Runner<Env> {
    /// `worker` names this process in rows and sessions.
    pub fn new(
        registry: Registry<Env>,
        environment: Env,
        source: impl ConnectionSource,
        worker: impl Into<String>,
        wakeups: Wakeups,
        completions: Completions,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                registry,
                environment,
                source: Box::new(source),
                wakeups,
                completions,
                worker: worker.into(),
                stopping: AtomicBool::new(false),
            }),
        }
    }

    /// Runs every due job on this thread and returns when none is left. Jobs in backoff stay where they are.
    pub fn drain(&self) -> Result<Drained, RunnerError> {
        let inner = &self.inner;
        let mut connection = inner.source.connect().map_err(RunnerError::Connect)?;
        let mut drained = Drained::default();
        for queue in inner.registry.queues() {
            while let Turn::Worked(more) = inner.turn(&mut *connection, queue)? {
                drained.done.extend(more.done);
                drained.failed.extend(more.failed);
            }
        }
        Ok(drained)
    }

    /// Starts one worker thread for each queue. A queue is worked on by one process at a time; the others stand by.
    pub fn start(self) -> std::io::Result<Running> {
        let mut threads = Vec::new();
        for queue in self.inner.registry.queues() {
            let inner = Arc::clone(&self.inner);
            let thread =
                std::thread::Builder::new().name(format!("worker-{queue}")).spawn(move || inner.work(queue))?;
            threads.push(thread);
        }
        let (wakeups, inner) = (self.inner.wakeups.clone(), self.inner);
        Ok(Running {
            threads,
            stop: Box::new(move || {
                inner.stopping.store(true, Ordering::SeqCst);
                wakeups.wake();
            }),
        })
    }
}

/// Worker threads at work.
pub struct Running {
    threads: Vec<JoinHandle<()>>,
    stop: Box<dyn Fn() + Send + Sync>,
}

impl Running {
    /// Lets every worker finish the batch it is at, and returns when all have.
    pub fn stop(self) {
        (self.stop)();
        for thread in self.threads {
            // A worker's loop catches panics of jobs; one of its own was already reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl<Env: Send + Sync + 'static> Inner<Env> {
    fn work(&self, queue: &'static str) {
        let mut failures = 0;
        while !self.stopping() {
            match self.work_while_connected(queue, &mut failures) {
                Ok(()) => break,
                Err(error) => {
                    let wait = Duration::from_millis(100).saturating_mul(1 << failures.min(10)).min(RECONNECT_CAP);
                    failures += 1;
                    tracing::warn!(queue, failures, error = %JobError::from(error), "the worker goes on in {wait:?}");
                    self.pause(wait);
                }
            }
        }
    }

    /// Works on one connection until told to stop; an error means that the connection is to be thrown away.
    fn work_while_connected(&self, queue: &'static str, failures: &mut u32) -> Result<(), RunnerError> {
        let mut connection = self.source.connect().map_err(RunnerError::Connect)?;
        connection.with(|connection| self.prepare_session(connection, queue))?;
        let mut leading = false;
        while !self.stopping() {
            let ticket = self.wakeups.ticket();
            if !leading {
                leading = connection.with(|connection| lead(connection, queue))?;
                if leading {
                    tracing::debug!(queue, worker = self.worker, "this worker takes the queue's jobs");
                }
            }
            let turn = if leading { self.turn(&mut *connection, queue)? } else { Turn::Idle };
            *failures = 0;
            if let Turn::Idle = turn {
                self.wakeups.wait(ticket, POLL.mul_f64(rand::random_range(0.8..1.2)));
            }
        }
        Ok(())
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Waits, but not longer than until somebody says stop.
    fn pause(&self, wait: Duration) {
        let until = std::time::Instant::now() + wait;
        while !self.stopping() {
            let Some(left) = until.checked_duration_since(std::time::Instant::now()) else { return };
            self.wakeups.wait(self.wakeups.ticket(), left);
        }
    }

    /// The database ends sessions that fell silent in the middle of a run, so that a hung job gives up its row.
    fn prepare_session(&self, connection: &mut PgConnection, queue: &str) -> Result<(), diesel::result::Error> {
        let (_, time_limit) = self.registry.bounds(queue);
        for (setting, value) in [
            ("application_name", format!("supercargo {} {queue}", self.worker)),
            ("synchronous_commit", "off".to_owned()),
            ("lock_timeout", HOLD_TIMEOUT.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", (time_limit + IDLE_MARGIN).as_millis().to_string()),
        ] {
            sql_query("SELECT set_config($1, $2, false)")
                .bind::<Text, _>(setting)
                .bind::<Text, _>(value)
                .execute(connection)?;
        }
        Ok(())
    }

    /// Claims one batch, performs it and records how it ended.
    fn turn(&self, connection: &mut dyn Lend, queue: &str) -> Result<Turn, RunnerError> {
        let outside = connection.with(depth)?;
        let turn = self.claim_and_perform(connection, queue, outside);
        if turn.is_err() {
            // The connection may be gone; the error that brought us here says more than a second one.
            let _ = connection.with(|connection| unwind_to(connection, outside));
        }
        turn
    }

    fn claim_and_perform(&self, connection: &mut dyn Lend, queue: &str, outside: u32) -> Result<Turn, RunnerError> {
        let Some(claimed) = connection.with(|connection| self.touch(connection, queue))? else {
            return Ok(Turn::Idle);
        };
        connection.with(begin)?;
        let held = connection.with(|connection| self.hold(connection, claimed))?;
        if held.is_empty() {
            connection.with(|connection| unwind_to(connection, outside))?;
            return Ok(Turn::Worked(Drained::default()));
        }
        let verdicts = self.perform(connection, &held, outside + 1)?;
        let drained = connection.with(|connection| self.record(connection, queue, &held, verdicts))?;
        connection.with(commit)?;
        self.completions.finished(drained.done.iter().copied());
        for (job, error) in &drained.failed {
            tracing::warn!(job, queue, error, "a job failed");
        }
        Ok(Turn::Worked(drained))
    }

    /// The first transaction: picks a batch, or a suspect alone, and counts the start. None if nothing is due.
    fn touch(&self, connection: &mut PgConnection, queue: &str) -> Result<Option<Vec<DueJob>>, RunnerError> {
        let kinds = self.registry.kinds_of(queue);
        let (limit, _) = self.registry.bounds(queue);
        begin(connection)?;
        let mut due = storage::lock_due(connection, queue, &kinds, limit)?;
        let Some(first) = due.first() else {
            commit(connection)?;
            return Ok(None);
        };
        let policy = self.group(&first.kind).policy();
        let suspect = first.attempts >= SUSPECT;
        if first.attempts >= i32::try_from(policy.max_attempts).unwrap_or(i32::MAX) {
            let error = format!(
                "started {} times and never heard of again: the process was killed each time while it ran",
                first.attempts
            );
            storage::bury(connection, first.id, first.claim_no, &error)?;
            tracing::error!(job = first.id, kind = first.kind, error, "a job is dead");
            commit(connection)?;
            return Ok(Some(Vec::new()));
        }
        if suspect {
            due.truncate(1);
        } else {
            let kind = first.kind.clone();
            due.retain(|job| job.attempts < SUSPECT && self.registry.same_group(&job.kind, &kind));
            due.truncate(self.group(&kind).size());
        }
        let gap = if suspect { jittered(policy.backoff.delay(due[0].attempts.unsigned_abs())).max(GAP) } else { GAP };
        let ids: Vec<_> = due.iter().map(|job| job.id).collect();
        storage::touch(connection, &ids, &self.worker, gap)?;
        commit(connection)?;
        for job in &mut due {
            job.attempts += 1;
            job.claim_no += 1;
        }
        Ok(Some(due))
    }

    fn hold(&self, connection: &mut PgConnection, claimed: Vec<DueJob>) -> Result<Vec<DueJob>, RunnerError> {
        let claims: Vec<_> = claimed.iter().map(|job| (job.id, job.claim_no)).collect();
        let held = storage::hold(connection, &claims)?;
        Ok(claimed.into_iter().filter(|job| held.contains(&job.id)).collect())
    }

    /// Runs the batch within a savepoint, so that a statement that failed leaves the transaction fit for the record.
    fn perform(&self, connection: &mut dyn Lend, held: &[DueJob], base: u32) -> Result<Verdicts, RunnerError> {
        let group = self.group(&held[0].kind);
        let jobs = held.iter().map(|job| (job.kind.as_str(), job.payload.clone())).collect();
        connection.with(begin)?;
        let span = tracing::info_span!("jobs", first = held[0].id, count = held.len(), kind = held[0].kind);
        let performed =
            span.in_scope(|| catch_panic(|| group.perform(&self.environment, jobs, &mut Run::new(connection))));
        let everybody = match performed {
            // A batch answers for what its members wrote; where none succeeded nothing is to stay.
            Ok(verdicts) if verdicts.iter().all(Result::is_err) => {
                connection.with(|connection| unwind_to(connection, base))?;
                return Ok(verdicts);
            }
            Ok(verdicts) => {
                match connection.with(|connection| unwind_to(connection, base + 1).and_then(|()| commit(connection))) {
                    Ok(()) => return Ok(verdicts),
                    // A statement failed, and the job did not say so.
                    Err(aborted) => JobError::own(aborted),
                }
            }
            Err(everybody) => everybody,
        };
        if let Err(broken) = connection.with(|connection| unwind_to(connection, base)) {
            // There is no row to write it to any more.
            tracing::warn!(job = held[0].id, error = %everybody, "a job failed, and its connection is lost");
            return Err(broken.into());
        }
        let text = everybody.to_string();
        let same = || if everybody.is_shared() { JobError::shared(text.clone()) } else { JobError::own(text.clone()) };
        Ok(held.iter().map(|_| Err(same())).collect())
    }

    fn record(
        &self,
        connection: &mut PgConnection,
        queue: &str,
        held: &[DueJob],
        verdicts: Verdicts,
    ) -> Result<Drained, RunnerError> {
        let mut done = Vec::new();
        let mut drained = Drained::default();
        for (job, verdict) in held.iter().zip(verdicts) {
            match verdict {
                Ok(outcome) => done.push((job.id, job.claim_no, outcome.detail)),
                Err(error) => {
                    self.record_failure(connection, job, &error)?;
                    drained.failed.push((job.id, error.to_string()));
                }
            }
        }
        if !done.is_empty() {
            storage::finish(connection, &done, &self.worker)?;
            storage::recover(connection, queue)?;
            drained.done = done.into_iter().map(|job| job.0).collect();
        }
        Ok(drained)
    }

    fn record_failure(&self, connection: &mut PgConnection, job: &DueJob, error: &JobError) -> Result<(), RunnerError> {
        let policy = self.group(&job.kind).policy();
        let attempts = job.attempts.unsigned_abs();
        let text = error.to_string();
        if error.is_shared() {
            storage::give_back(connection, job.id, job.claim_no, &text, jittered(SHARED_BACKOFF))?;
        } else if attempts >= policy.max_attempts {
            storage::bury(connection, job.id, job.claim_no, &text)?;
            tracing::error!(job = job.id, kind = job.kind, error = text, "a job is dead");
        } else {
            storage::fail(connection, job.id, job.claim_no, &text, jittered(policy.backoff.delay(attempts)))?;
        }
        Ok(())
    }

    fn group(&self, kind: &str) -> &dyn Group<Env> {
        self.registry.group_of(kind).expect("only kinds of the registry are claimed") // see `kinds_of`
    }
}

/// Spreads retries, so that jobs which failed together don't come back together.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::random_range(0.8..1.2))
}

#[derive(QueryableByName)]
struct Leading {
    #[diesel(sql_type = Bool)]
    leading: bool,
}

/// Takes the queue for this session, if no other session has it. Two workers at once would be correct and slower: the
/// larger batch is the cheaper one. The lock ends with the session.
fn lead(connection: &mut PgConnection, queue: &str) -> Result<bool, diesel::result::Error> {
    sql_query("SELECT pg_try_advisory_lock(hashtextextended($1, $2)) AS leading")
        .bind::<Text, _>(queue)
        .bind::<BigInt, _>(ADVISORY_SEED)
        .get_result::<Leading>(connection)
        .map(|row| row.leading)
}

/// Keeps our advisory locks apart from those of other programs in the same database.
const ADVISORY_SEED: i64 = 0x7375_7065_7263;
