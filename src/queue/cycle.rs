//! One cycle of a worker: claim a batch, perform it, record how each job ended. Tests use the same code; there the
//! transactions that it opens are savepoints of a larger one.

use std::time::{Duration, Instant};

use diesel::{PgConnection, QueryResult};

use super::connection::{Lend, LendExt};
use super::inner::Inner;
use super::job::JobId;
use super::job_error::JobError;
use super::measures::{self, End};
use super::performing::{begin, catch_panic, commit, depth, listed, unwind_to};
use super::record::{Drained, Failed, log_death};
use super::registry::{Run, Verdicts};
use super::runner_error::RunnerError;
use super::settings::jittered;
use super::slot::{Claim, Slot};
use super::storage::{self, DueJob};
use crate::fault;

/// Jobs that were started this often before are run alone.
const SUSPECT: i32 = 2;
/// Added to the time limit that the database enforces: the runner acts first, since it can record the reason.
const DATABASE_MARGIN: Duration = Duration::from_secs(5);

pub(super) enum Cycle {
    Idle,
    Worked(Drained),
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
        let Some(claimed) = connection.with(|connection| self.touch(connection, queue))? else {
            return Ok(Cycle::Idle);
        };
        let Some(limit) =
            claimed.first().map(|job| self.group(&job.kind).policy().time_limit.min(self.settings.longest_run))
        else {
            return Ok(Cycle::Worked(Drained::default()));
        };
        fault::point("queue.touched")?;
        connection.with(begin)?;
        let watched = slot.is_watched().then_some(limit + DATABASE_MARGIN);
        let held = connection.with(|connection| self.hold(connection, claimed, watched))?;
        if held.is_empty() {
            connection.with(|connection| unwind_to(connection, outside))?;
            return Ok(Cycle::Worked(Drained::default()));
        }
        let began = Instant::now();
        slot.run(began, limit, held.iter().map(Claim::of).collect())?;
        fault::point("queue.held")?;
        let _span = span_of(queue, &held).entered();
        let verdicts = self.perform(connection, &held, outside + 1, began + limit)?;
        slot.enter_database()?;
        measures::ran(queue, &held[0].kind, held.len(), began.elapsed());
        let failures: Vec<Failed> = held.iter().zip(&verdicts).filter_map(Failed::of).collect();
        let drained = connection.with(|connection| self.record(connection, queue, &held, verdicts))?;
        fault::point("queue.recorded")?;
        connection.with(commit)?;
        fault::point("queue.committed")?;
        self.completions.finished(drained.done.iter().copied());
        Failed::log_all(&failures, queue);
        if !drained.done.is_empty() {
            tracing::info!(done = drained.done.len(), took = ?began.elapsed(), "jobs are done");
        }
        Ok(Cycle::Worked(drained))
    }

    /// The first step of the claim: chooses a batch, or a single suspect, and counts the start. None if nothing is due.
    fn touch(&self, connection: &mut PgConnection, queue: &'static str) -> Result<Option<Vec<DueJob>>, RunnerError> {
        let kinds = self.registry.kinds_of(queue);
        begin(connection)?;
        let mut due = storage::lock_due(connection, queue, &kinds, self.registry.largest_batch(queue))?;
        let Some(first) = due.first() else {
            commit(connection)?;
            return Ok(None);
        };
        let policy = self.group(&first.kind).policy();
        if first.attempts.unsigned_abs() >= policy.max_attempts {
            let error = storage::killed_each_time(first.attempts, first.last_error.as_deref());
            storage::bury(connection, first.id, first.claim_no, &error)?;
            commit(connection)?;
            log_death(queue, &Claim::of(first), &error);
            measures::ended(queue, &first.kind, End::Dead);
            return Ok(Some(Vec::new()));
        }
        let gap = if first.attempts >= SUSPECT {
            due.truncate(1);
            // Spread beyond the gap: jobs whose process died together must not come due together, or a harmless job
            // would be killed with a deadly one until it reaches its own limit.
            self.settings.gap + jittered(policy.backoff.delay(due[0].attempts.unsigned_abs()))
        } else {
            let kind = first.kind.clone();
            due.retain(|job| job.attempts < SUSPECT && self.registry.same_group(&job.kind, &kind));
            due.truncate(self.group(&kind).size());
            self.settings.gap
        };
        self.note_lost(connection, queue, &due)?;
        let ids: Vec<_> = due.iter().map(|job| job.id).collect();
        storage::touch(connection, &ids, &self.worker, gap)?;
        commit(connection)?;
        for job in &mut due {
            measures::started(queue, &job.kind, job.waited);
            job.attempts += 1;
            job.claim_no += 1;
        }
        Ok(Some(due))
    }

    fn note_lost(&self, connection: &mut PgConnection, queue: &'static str, due: &[DueJob]) -> Result<(), RunnerError> {
        let lost: Vec<_> = due.iter().filter(|job| job.lost).collect();
        if !lost.is_empty() {
            let ids: Vec<_> = lost.iter().map(|job| job.id).collect();
            storage::note_lost(connection, &ids)?;
            tracing::warn!(jobs = ?ids, queue, "started before by a worker that is gone");
            lost.iter().for_each(|job| measures::ended(queue, &job.kind, End::Lost));
        }
        Ok(())
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
            match storage::still_claimed(connection, &dropped)? {
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
        let hold = if self.settings.hold_skips_locked { storage::hold_skipping } else { storage::hold };
        hold(connection, claims, limit)
    }

    #[cfg(not(any(debug_assertions, feature = "fail-points")))]
    fn lock(
        &self,
        connection: &mut PgConnection,
        claims: &[(JobId, i64)],
        limit: Option<Duration>,
    ) -> QueryResult<Vec<JobId>> {
        storage::hold(connection, claims, limit)
    }

    /// Runs the batch within a savepoint, so that the transaction can record the result even after a failed statement.
    fn perform(
        &self,
        connection: &mut dyn Lend,
        held: &[DueJob],
        base: u32,
        deadline: Instant,
    ) -> Result<Verdicts, RunnerError> {
        let group = self.group(&held[0].kind);
        let jobs = held.iter().map(|job| (job.kind.as_str(), job.payload.clone())).collect();
        connection.with(begin)?;
        let performed = catch_panic(|| group.perform(&self.environment, jobs, &mut Run::new(connection, deadline)));
        let error = match performed {
            // A batch is responsible for what its members wrote; if none succeeded, nothing is kept.
            Ok(verdicts) if verdicts.iter().all(Result::is_err) => {
                connection.with(|connection| unwind_to(connection, base))?;
                return Ok(verdicts);
            }
            Ok(verdicts) => {
                match connection.with(|connection| unwind_to(connection, base + 1).and_then(|()| commit(connection))) {
                    Ok(()) => return Ok(verdicts),
                    // A statement failed, and the job did not report it.
                    Err(aborted) => JobError::failed(aborted),
                }
            }
            Err(error) => error,
        };
        if let Err(broken) = connection.with(|connection| unwind_to(connection, base)) {
            // The row cannot be written any more.
            tracing::warn!(job = held[0].id, %error, "a job failed, and its connection is lost");
            return Err(broken.into());
        }
        Ok(held.iter().map(|_| Err(error.duplicate())).collect())
    }
}

/// The span of a batch. Its level is error, so that even a log of errors alone shows which requests failed.
fn span_of(queue: &str, held: &[DueJob]) -> tracing::Span {
    let about = listed(held.iter().filter_map(|job| job.key.as_deref()));
    let requests = listed(held.iter().filter_map(|job| job.request_id.as_deref()));
    let (first, count, attempt) = (held[0].id, held.len(), held[0].attempts);
    tracing::error_span!("jobs", queue, first, count, kind = held[0].kind, attempt, about, requests)
}
