//! One cycle of a worker: claim a batch, perform it, record how each job ended. Tests use the same code; there the
//! transactions that it opens are savepoints of a larger one.

use std::time::{Duration, Instant};

use diesel::{PgConnection, QueryResult};

use super::claim::{self, DueJob, Touched};
use super::connection::{Lend, LendExt};
use super::inner::Inner;
use super::job::JobId;
use super::job_error::JobError;
use super::measures::{self, End};
use super::performing::{begin, catch_panic, commit, depth, unwind_to};
use super::record::{Drained, Failed, log_death};
use super::registry::{Run, Verdicts, Workers};
use super::runner_error::RunnerError;
use super::settings::jittered;
use super::slot::{Claim, Slot};
use super::spans;
use super::storage;
use super::undo::Undo;
use crate::fault;
use crate::trace::STEP;

/// Added to the time limit that the database enforces: the runner acts first, since it can record the reason.
const DATABASE_MARGIN: Duration = Duration::from_secs(5);

pub(super) enum Cycle {
    /// Nothing is due.
    Idle,
    /// `more`: other jobs may be due, of which no wake-up tells.
    Worked { drained: Drained, more: bool },
}

impl Cycle {
    /// Whether many jobs may be pending: more than one batch, or those that fail again and again.
    pub fn leaves_many(&self) -> bool {
        matches!(self, Self::Worked { drained, more } if *more || !drained.failed.is_empty())
    }
}

impl<Env: Send + Sync + 'static> Inner<Env> {
    /// Claims one batch, performs it and records how it ended.
    pub(super) fn cycle(
        &self,
        connection: &mut dyn Lend,
        queue: &'static str,
        slot: &Slot,
    ) -> Result<Cycle, RunnerError> {
        let outside = connection.with(depth)?;
        slot.enter_database()?;
        let cycle = self.claim_and_perform(connection, queue, outside, slot);
        slot.rest();
        if cycle.is_err() {
            // The connection may be gone; the first error says more than this one.
            let _ = connection.with(|connection| unwind_to(connection, outside));
        }
        cycle
    }

    fn claim_and_perform(
        &self,
        connection: &mut dyn Lend,
        queue: &'static str,
        outside: u32,
        slot: &Slot,
    ) -> Result<Cycle, RunnerError> {
        let Touched { jobs: claimed, more, .. } = connection.with(|connection| self.touch(connection, queue))?;
        let Some(first) = claimed.first() else {
            return Ok(if more { Cycle::Worked { drained: Drained::default(), more } } else { Cycle::Idle });
        };
        let limit = self.group(&first.kind).policy().time_limit.min(self.settings.longest_run);
        fault::point("queue.touched")?;
        connection.with(begin)?;
        let watched = slot.is_watched().then_some(limit + DATABASE_MARGIN);
        let count = claimed.len();
        let held = connection.with(|connection| self.hold(connection, claimed, watched))?;
        if held.is_empty() {
            connection.with(|connection| unwind_to(connection, outside))?;
            return Ok(Cycle::Worked { drained: Drained::default(), more: true });
        }
        // The jobs behind an ordered one may be due now.
        let more = more || held.len() < count || held.iter().any(|job| job.ordered);
        let began = Instant::now();
        slot.run(began, limit, held.iter().map(Claim::of).collect())?;
        fault::point("queue.held")?;
        let span = spans::of_batch(queue, &held).entered();
        let undo =
            connection.with(|connection| Undo::prepare(connection, outside, self.is_alone(queue, outside, slot)))?;
        let performed = self.perform(connection, &held, undo, began + limit)?;
        slot.enter_database()?;
        measures::ran(queue, &held[0].kind, held.len(), began.elapsed());
        let (verdicts, drained) = self.record_or_undo(connection, queue, &held, performed, undo)?;
        fault::point("queue.recorded")?;
        tracing::trace_span!(target: STEP, "commit jobs").in_scope(|| connection.with(commit))?;
        spans::end(&span, &verdicts);
        fault::point("queue.committed")?;
        self.completions.finished(drained.done.iter().copied());
        Failed::log_all(&held.iter().zip(&verdicts).filter_map(Failed::of).collect::<Vec<_>>(), queue);
        if !drained.done.is_empty() {
            tracing::info!(done = drained.done.len(), took = ?began.elapsed(), "jobs are done");
        }
        let more = more || drained.recovered > 0;
        Ok(Cycle::Worked { drained, more })
    }

    /// The first step of the claim: chooses a batch, or a single suspect, and counts the start.
    fn touch(&self, connection: &mut PgConnection, queue: &'static str) -> Result<Touched, RunnerError> {
        let kinds = self.registry.claimable_kinds(queue);
        let mut touched = claim::touch_batch(connection, queue, &kinds, &self.worker, self.settings.gap)?;
        if touched.needs_care {
            let alone = self.touch_with_care(connection, queue, &kinds.kinds)?;
            touched = Touched { jobs: alone.into_iter().collect(), more: true, needs_care: true };
        }
        let lost: Vec<_> = touched.jobs.iter().filter(|job| job.lost).collect();
        if !lost.is_empty() {
            let ids: Vec<_> = lost.iter().map(|job| job.id).collect();
            tracing::warn!(jobs = ?ids, queue, "started before by a worker that is gone");
            lost.iter().for_each(|job| measures::ended(queue, &job.kind, End::Lost));
        }
        for job in &touched.jobs {
            measures::started(queue, &job.kind, job.waited);
        }
        Ok(touched)
    }

    /// The first step of the claim of a job that was started too often to run with others: buries it if it is at its limit,
    /// and else gives it alone. None if it is gone, or another one is first now.
    fn touch_with_care(
        &self,
        connection: &mut PgConnection,
        queue: &'static str,
        kinds: &[&str],
    ) -> Result<Option<DueJob>, RunnerError> {
        begin(connection)?;
        let first = claim::lock_due(connection, queue, kinds, 1)?.into_iter().next();
        let Some(job) = first.filter(|job| job.attempts >= self.registry.fresh_below(&job.kind)) else {
            commit(connection)?;
            return Ok(None);
        };
        let policy = self.group(&job.kind).policy();
        let starts = job.attempts.unsigned_abs();
        if starts >= policy.max_attempts {
            let error = storage::killed_each_time(job.attempts, job.last_error.as_deref());
            storage::bury(connection, job.id, job.claim_no, &error)?;
            commit(connection)?;
            log_death(queue, &Claim::of(&job), &error);
            measures::ended(queue, &job.kind, End::Dead);
            return Ok(None);
        }
        // Spread beyond the gap: jobs whose process died together must not come due together, or a harmless job would be
        // killed with a deadly one until it reaches its own limit.
        let gap = self.settings.gap + jittered(policy.backoff.delay(starts));
        if job.lost {
            claim::note_lost(connection, &[job.id])?;
        }
        claim::touch(connection, &[job.id], &self.worker, gap)?;
        commit(connection)?;
        Ok(Some(job.started()))
    }

    /// The second step of the claim: locks the rows for the whole run. Rows that another worker has taken over are dropped.
    fn hold(
        &self,
        connection: &mut PgConnection,
        claimed: Vec<DueJob>,
        limit: Option<Duration>,
    ) -> Result<Vec<DueJob>, RunnerError> {
        let claims: Vec<_> = claimed.iter().map(|job| (job.id, job.claim_no)).collect();
        let held = self.lock(connection, &claims, limit)?;
        if held.len() < claims.len() {
            let dropped: Vec<_> = claims.into_iter().filter(|(id, _)| !held.contains(id)).collect();
            match claim::still_claimed(connection, &dropped)? {
                lost if lost.is_empty() => tracing::debug!(?dropped, "claims that another worker has taken over"),
                // The job would wait for the end of its gap although no worker runs it.
                lost => {
                    tracing::error!(jobs = ?lost, "claims were lost, and no worker took them over: a bug of the queue")
                }
            }
        }
        Ok(claimed.into_iter().filter(|job| held.contains(&job.id)).collect())
    }

    #[cfg(any(debug_assertions, feature = "fail-points"))]
    fn lock(
        &self,
        connection: &mut PgConnection,
        claims: &[(JobId, i64)],
        limit: Option<Duration>,
    ) -> QueryResult<Vec<JobId>> {
        let hold = if self.settings.hold_skips_locked { claim::hold_skipping } else { claim::hold };
        hold(connection, claims, limit)
    }

    #[cfg(not(any(debug_assertions, feature = "fail-points")))]
    fn lock(
        &self,
        connection: &mut PgConnection,
        claims: &[(JobId, i64)],
        limit: Option<Duration>,
    ) -> QueryResult<Vec<JobId>> {
        claim::hold(connection, claims, limit)
    }

    /// Whether no other worker claims rows of the queue: this worker has its lock, or all of this is within a test's transaction.
    fn is_alone(&self, queue: &str, outside: u32, slot: &Slot) -> bool {
        self.registry.workers_of(queue) == Workers::OneInAll && (slot.is_watched() || outside > 0)
    }

    /// Runs the batch. The error of all its members is in the result; that of this function is the connection's.
    fn perform(
        &self,
        connection: &mut dyn Lend,
        held: &[DueJob],
        undo: Undo,
        deadline: Instant,
    ) -> Result<Performed, RunnerError> {
        let group = self.group(&held[0].kind);
        let jobs = held.iter().map(|job| (job.kind.as_str(), job.payload.clone())).collect();
        let performed = catch_panic(|| {
            group.perform(&self.environment, jobs, &mut Run::new(connection, deadline, held[0].attempts))
        });
        let verdicts = match performed {
            Ok(verdicts) if verdicts.iter().any(Result::is_ok) => {
                match connection.with(|connection| undo.keep(connection)) {
                    Ok(()) => return Ok(Performed::Kept(verdicts)),
                    // A statement failed, and the job did not report it.
                    Err(aborted) => all_failed(held, &JobError::failed(aborted)),
                }
            }
            // A batch is responsible for what its members wrote; if none succeeded, nothing is kept.
            Ok(verdicts) => verdicts,
            Err(error) => all_failed(held, &error),
        };
        self.undo(connection, held, &verdicts, undo)?;
        Ok(Performed::Undone(verdicts))
    }

    fn undo(
        &self,
        connection: &mut dyn Lend,
        held: &[DueJob],
        verdicts: &Verdicts,
        undo: Undo,
    ) -> Result<(), RunnerError> {
        if let Err(broken) = connection.with(|connection| undo.undo(connection)) {
            // The row cannot be written any more.
            if let Some(Err(error)) = verdicts.first() {
                tracing::warn!(job = held[0].id, %error, "a job failed, and its connection is lost");
            }
            return Err(broken.into());
        }
        fault::point("queue.undone")?;
        Ok(())
    }

    /// Records how the jobs ended. If that fails together with what the batch wrote, the batch has failed: usually one of
    /// its statements had failed before, and the job did not report it.
    fn record_or_undo(
        &self,
        connection: &mut dyn Lend,
        queue: &'static str,
        held: &[DueJob],
        performed: Performed,
        undo: Undo,
    ) -> Result<(Verdicts, Drained), RunnerError> {
        let (verdicts, kept) = match performed {
            Performed::Kept(verdicts) => (verdicts, undo.reaches_the_record()),
            Performed::Undone(verdicts) => (verdicts, false),
        };
        match connection.with(|connection| self.record(connection, queue, held, &verdicts)) {
            Ok(drained) => Ok((verdicts, drained)),
            Err(RunnerError::Database(aborted)) if kept => {
                let verdicts = all_failed(held, &JobError::failed(aborted));
                self.undo(connection, held, &verdicts, undo)?;
                let drained = connection.with(|connection| self.record(connection, queue, held, &verdicts))?;
                Ok((verdicts, drained))
            }
            Err(error) => Err(error),
        }
    }
}

/// What became of the writes of a batch.
enum Performed {
    Kept(Verdicts),
    /// No member succeeded.
    Undone(Verdicts),
}

fn all_failed(held: &[DueJob], error: &JobError) -> Verdicts {
    held.iter().map(|_| Err(error.duplicate())).collect()
}
