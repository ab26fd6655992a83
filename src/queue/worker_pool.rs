//! The worker threads of a process, and the watch over them.
//!
//! A thread can't be ended from outside. A job that is over its time limit is therefore cut off from what it could still
//! do: its database session is ended, which gives up its rows and makes its commit impossible; its failure is recorded by
//! somebody else; and another thread takes its place. The thread itself is left to come back when it can, and then ends.
//! The same goes for a thread that waits too long for an answer of the database (a connection that was cut without a
//! word): there is nothing to record, since the row's own due time brings it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Integer, Text};
use parking_lot::{Condvar, Mutex};

use super::connection::LendExt;
use super::measures::{self, End};
use super::performing::{begin, commit, listed, unwind_to};
use super::runner::{Inner, RunnerError};
use super::storage::DueJob;
use super::worker::SESSION_PREFIX;
use super::workers_view::QueueWorkers;
use super::{JobError, JobId};

/// Threads of one queue that may hang at the same time. Beyond it their places stay empty until one comes back, or for a
/// while: what makes jobs hang would eat the process thread by thread.
const MAX_HUNG: usize = 4;

/// What a worker has in its hands.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub id: JobId,
    pub claim_no: i64,
    pub kind: String,
    pub key: Option<String>,
    pub request_id: Option<String>,
    pub attempts: i32,
}

impl Claim {
    pub(super) fn of(job: &DueJob) -> Self {
        Self {
            id: job.id,
            claim_no: job.claim_no,
            kind: job.kind.clone(),
            key: job.key.clone(),
            request_id: job.request_id.clone(),
            attempts: job.attempts,
        }
    }
}

/// A place for one worker thread, as the watch sees it.
#[derive(Default)]
pub(super) struct Slot {
    phase: Mutex<Phase>,
    /// The process number of the database session; 0 while there is none, and for a runner that nobody watches.
    pub session: AtomicI32,
}

#[derive(Default)]
enum Phase {
    #[default]
    Resting,
    /// Claiming or recording.
    Talking {
        since: Instant,
    },
    Performing {
        since: Instant,
        limit: Duration,
        claims: Vec<Claim>,
    },
    /// The watch has given the place to another thread. There is no way back.
    CutOff,
}

impl Slot {
    pub(super) fn is_watched(&self) -> bool {
        self.session.load(Ordering::SeqCst) != 0
    }

    pub(super) fn talks(&self) -> Result<(), RunnerError> {
        self.enter(Phase::Talking { since: Instant::now() })
    }

    pub(super) fn performs(&self, since: Instant, limit: Duration, claims: Vec<Claim>) -> Result<(), RunnerError> {
        self.enter(Phase::Performing { since, limit, claims })
    }

    pub(super) fn rests(&self) {
        // Who was cut off is told when it wants to go on.
        let _ = self.enter(Phase::Resting);
    }

    fn enter(&self, next: Phase) -> Result<(), RunnerError> {
        let mut phase = self.phase.lock();
        if let Phase::CutOff = *phase {
            return Err(RunnerError::CutOff);
        }
        *phase = next;
        Ok(())
    }

    pub(super) fn is_cut_off(&self) -> bool {
        matches!(*self.phase.lock(), Phase::CutOff)
    }

    /// Takes what is overdue out of the thread's hands.
    fn cut_off_if_overdue(&self, talk_limit: Duration) -> Option<Overdue> {
        let mut phase = self.phase.lock();
        let (since, limit) = match *phase {
            Phase::Talking { since } => (since, talk_limit),
            Phase::Performing { since, limit, .. } => (since, limit),
            Phase::Resting | Phase::CutOff => return None,
        };
        let took = since.elapsed();
        if took <= limit {
            return None;
        }
        let claims = match std::mem::replace(&mut *phase, Phase::CutOff) {
            Phase::Performing { claims, .. } => claims,
            _ => Vec::new(),
        };
        Some(Overdue { claims, limit, session: self.session.load(Ordering::SeqCst) })
    }
}

struct Overdue {
    claims: Vec<Claim>,
    limit: Duration,
    session: i32,
}

/// Everybody who works in this process.
#[derive(Default)]
pub(super) struct WorkerPool {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    members: Vec<Member>,
    /// Queues of threads that were cut off and have not come back.
    hung: Vec<&'static str>,
    /// Queues of places that are empty, and since when.
    missing: Vec<(&'static str, Instant)>,
    /// Threads that write down a failure, or sweep.
    helpers: usize,
    stopping: bool,
}

struct Member {
    queue: &'static str,
    slot: Arc<Slot>,
}

impl WorkerPool {
    pub(super) fn is_stopping(&self) -> bool {
        self.state.lock().stopping
    }

    pub(super) fn stop(&self) {
        self.state.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Returns when nobody is at work any more. Workers are cut off when their time is over; of helpers that wait for a
    /// database which does not answer, none is waited for longer than `patience`.
    pub(super) fn wait_for_all(&self, patience: Duration) {
        let mut state = self.state.lock();
        while !state.members.is_empty() {
            self.changed.wait(&mut state);
        }
        let until = Instant::now() + patience;
        while state.helpers > 0 && !self.changed.wait_until(&mut state, until).timed_out() {}
    }

    /// Waits, but not longer than until somebody says stop; true if somebody has.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        let mut state = self.state.lock();
        while !state.stopping && !self.changed.wait_until(&mut state, until).timed_out() {}
        state.stopping
    }

    /// Who is there for a queue.
    pub(super) fn count(&self, queue: &'static str) -> QueueWorkers {
        let state = self.state.lock();
        let members = || state.members.iter().filter(|member| member.queue == queue);
        QueueWorkers {
            queue,
            threads: members().count(),
            connected: members().filter(|member| member.slot.session.load(Ordering::SeqCst) != 0).count(),
            hung: state.hung_in(queue),
        }
    }

    /// A thread has ended, for whatever reason.
    fn leave(&self, queue: &'static str, slot: &Arc<Slot>) {
        let mut state = self.state.lock();
        let before = state.members.len();
        state.members.retain(|member| !Arc::ptr_eq(&member.slot, slot));
        if state.members.len() == before {
            // It had been cut off.
            if let Some(place) = state.hung.iter().position(|hung| *hung == queue) {
                state.hung.swap_remove(place);
            }
            measures::hung(queue, state.hung_in(queue));
        } else if !state.stopping {
            state.missing.push((queue, Instant::now()));
        }
        self.changed.notify_all();
    }
}

/// Starts a thread that is neither a worker nor the watch.
pub(super) fn start_helper<Env: Send + Sync + 'static>(
    inner: &Arc<Inner<Env>>,
    name: &str,
    help: impl FnOnce(&Arc<Inner<Env>>) + Send + 'static,
) -> std::io::Result<()> {
    inner.crew.state.lock().helpers += 1;
    start_counted_helper(inner, name, help)
}

/// The same, for one that was counted already.
fn start_counted_helper<Env: Send + Sync + 'static>(
    inner: &Arc<Inner<Env>>,
    name: &str,
    help: impl FnOnce(&Arc<Inner<Env>>) + Send + 'static,
) -> std::io::Result<()> {
    struct Helping<Env>(Arc<Inner<Env>>);
    impl<Env> Drop for Helping<Env> {
        fn drop(&mut self) {
            self.0.crew.state.lock().helpers -= 1;
            self.0.crew.changed.notify_all();
        }
    }
    // A thread that can't be started drops it too.
    let helping = Helping(Arc::clone(inner));
    std::thread::Builder::new().name(name.to_owned()).spawn(move || help(&helping.0)).map(drop)
}

impl State {
    fn hung_in(&self, queue: &str) -> usize {
        self.hung.iter().filter(|hung| **hung == queue).count()
    }

    /// Removes those that are over their limits from the crew.
    fn cut_off_overdue(&mut self, talk_limit: Duration) -> Vec<(&'static str, Overdue)> {
        let mut overdue = Vec::new();
        self.members.retain(|member| match member.slot.cut_off_if_overdue(talk_limit) {
            None => true,
            Some(over) => {
                overdue.push((member.queue, over));
                false
            }
        });
        // Counted before anybody sees that the worker is gone: who stops waits for the record.
        self.helpers += overdue.len();
        for (queue, _) in &overdue {
            self.hung.push(queue);
            self.missing.push((queue, Instant::now()));
            measures::hung(queue, self.hung_in(queue));
        }
        overdue
    }

    /// The places that are to be filled now.
    fn take_missing(&mut self, hung_pause: Duration) -> Vec<&'static str> {
        let missing = std::mem::take(&mut self.missing);
        if self.stopping {
            return Vec::new();
        }
        let (fill, keep): (Vec<_>, Vec<_>) = missing
            .into_iter()
            .partition(|(queue, since)| self.hung_in(queue) <= MAX_HUNG || since.elapsed() >= hung_pause);
        self.missing = keep;
        fill.into_iter().map(|(queue, _)| queue).collect()
    }
}

/// Leaves the crew when the thread ends, also by a panic.
struct Leaving<'a, Env> {
    inner: &'a Inner<Env>,
    queue: &'static str,
    slot: &'a Arc<Slot>,
}

impl<Env> Drop for Leaving<'_, Env> {
    fn drop(&mut self) {
        self.inner.crew.leave(self.queue, self.slot);
    }
}

/// Starts a worker thread for a queue.
pub(super) fn start_worker<Env: Send + Sync + 'static>(
    inner: &Arc<Inner<Env>>,
    queue: &'static str,
) -> std::io::Result<()> {
    let slot = Arc::new(Slot::default());
    inner.crew.state.lock().members.push(Member { queue, slot: Arc::clone(&slot) });
    let started = std::thread::Builder::new().name(format!("worker-{queue}")).spawn({
        let (inner, slot) = (Arc::clone(inner), Arc::clone(&slot));
        move || {
            let _leaving = Leaving { inner: &inner, queue, slot: &slot };
            inner.work(queue, &slot);
        }
    });
    if started.is_err() {
        inner.crew.leave(queue, &slot);
    }
    started.map(drop)
}

/// Holds what runs against its time limits, until the crew has gone.
pub(super) fn watch<Env: Send + Sync + 'static>(inner: &Arc<Inner<Env>>) {
    loop {
        let (overdue, missing) = {
            let mut state = inner.crew.state.lock();
            if state.stopping && state.members.is_empty() {
                return;
            }
            inner.crew.changed.wait_for(&mut state, inner.settings.watch_every);
            (state.cut_off_overdue(inner.settings.talk_limit), state.take_missing(inner.settings.hung_pause))
        };
        inner.crew.changed.notify_all();
        for (queue, overdue) in overdue {
            // The database may keep whoever asks it waiting, and the watch waits for nobody.
            let started = start_counted_helper(inner, "cut-off", move |inner| inner.cut_off(queue, &overdue));
            if let Err(error) = started {
                tracing::error!(queue, %error, "a job is over its time limit, and no thread could be started to say so");
            }
        }
        for queue in missing {
            if let Err(error) = start_worker(inner, queue) {
                tracing::error!(queue, %error, "a worker could not be replaced");
            }
        }
    }
}

impl<Env: Send + Sync + 'static> Inner<Env> {
    /// Ends the session of an overdue worker, and writes down why its jobs failed.
    fn cut_off(&self, queue: &'static str, overdue: &Overdue) {
        if overdue.claims.is_empty() {
            // The database ends the session by itself.
            tracing::error!(queue, "the database did not answer for {:?}; the worker is replaced", overdue.limit);
            return;
        }
        let jobs: Vec<_> = overdue.claims.iter().map(|claim| claim.id).collect();
        let kind = overdue.claims.first().map(|claim| claim.kind.as_str());
        let about = listed(overdue.claims.iter().filter_map(|claim| claim.key.as_deref()));
        let requests = listed(overdue.claims.iter().filter_map(|claim| claim.request_id.as_deref()));
        tracing::error!(?jobs, queue, kind, about, requests, limit = ?overdue.limit, "cut off: over the time limit");
        if let Err(error) = self.end_and_record(queue, overdue) {
            // Its rows come due by themselves, and the count of starts stands.
            tracing::error!(?jobs, queue, error = %JobError::from(error), "that a job was cut off could not be recorded");
        }
    }

    fn end_and_record(&self, queue: &'static str, overdue: &Overdue) -> Result<(), RunnerError> {
        let mut connection = self.source.connect().map_err(RunnerError::Connect)?;
        connection.with(|connection| {
            self.prepare_session(connection, queue)?;
            if overdue.session != 0 {
                sql_query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE pid = $1 AND datname = current_database() AND starts_with(application_name, $2)",
                )
                .bind::<Integer, _>(overdue.session)
                .bind::<Text, _>(SESSION_PREFIX)
                .execute(connection)?;
            }
            for claim in &overdue.claims {
                let text = format!("cut off: it ran longer than the {:?} that its kind may take", overdue.limit);
                begin(connection)?;
                // Waits for the ended session to give up the row.
                let recorded = self.record_failure(connection, queue, claim, &text, End::CutOff);
                match recorded {
                    Ok(()) => commit(connection)?,
                    Err(error) => {
                        unwind_to(connection, 0)?;
                        return Err(error);
                    }
                }
            }
            Ok(())
        })
    }
}
