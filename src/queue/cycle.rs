//! One turn of a worker: claim a batch, perform it, record how it ended. The only code path there is; in tests the
//! transactions that it opens are savepoints of a larger one.

use std::time::{Duration, Instant};

use diesel::PgConnection;

use super::connection::{Lend, LendExt};
use super::measures::{self, End};
use super::performing::{begin, catch_panic, commit, depth, listed, unwind_to};
use super::registry::{Group, Run, Verdicts};
use super::runner::{Drained, Inner, RunnerError};
use super::storage::{self, DueJob};
use super::worker_pool::{Claim, Slot};
use super::{Failure, JobError, Outcome};
use crate::fault;

/// Rows with this many starts behind them are run alone.
const SUSPECT: i32 = 2;
/// Characters of a failure that are kept.
const LONGEST_ERROR: usize = 16 * 1024;
/// Added to a time limit before the database ends the session by itself: the runner comes first, since it can say why.
const DATABASE_MARGIN: Duration = Duration::from_secs(5);

pub(super) enum Turn {
    Idle,
    Worked(Drained),
}

impl<Env: Send + Sync + 'static> Inner<Env> {
    /// Claims one batch, performs it and records how it ended.
    pub(super) fn turn(
        &self,
        connection: &mut dyn Lend,
        queue: &'static str,
        slot: &Slot,
    ) -> Result<Turn, RunnerError> {
        let outside = connection.with(depth)?;
        slot.talks()?;
        let turn = self.claim_and_perform(connection, queue, outside, slot);
        slot.rests();
        if turn.is_err() {
            // The connection may be gone; the error that brought us here says more than a second one.
            let _ = connection.with(|connection| unwind_to(connection, outside));
        }
        turn
    }

    fn claim_and_perform(
        &self,
        connection: &mut dyn Lend,
        queue: &'static str,
        outside: u32,
        slot: &Slot,
    ) -> Result<Turn, RunnerError> {
        let Some(claimed) = connection.with(|connection| self.touch(connection, queue))? else {
            return Ok(Turn::Idle);
        };
        let Some(limit) =
            claimed.first().map(|job| self.group(&job.kind).policy().time_limit.min(self.settings.longest_run))
        else {
            return Ok(Turn::Worked(Drained::default()));
        };
        fault::point("queue.touched")?;
        connection.with(begin)?;
        let watched = slot.is_watched().then_some(limit + DATABASE_MARGIN);
        let held = connection.with(|connection| self.hold(connection, claimed, watched))?;
        if held.is_empty() {
            connection.with(|connection| unwind_to(connection, outside))?;
            return Ok(Turn::Worked(Drained::default()));
        }
        let began = Instant::now();
        slot.performs(began, limit, held.iter().map(Claim::of).collect())?;
        fault::point("queue.held")?;
        let _span = span_of(queue, &held).entered();
        let verdicts = self.perform(connection, &held, outside + 1, began + limit)?;
        slot.talks()?;
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
        Ok(Turn::Worked(drained))
    }

    /// The first transaction: picks a batch, or a suspect alone, and counts the start. None if nothing is due.
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
            tell_of_death(queue, &Claim::of(first), &error);
            measures::ended(queue, &first.kind, End::Dead);
            return Ok(Some(Vec::new()));
        }
        let gap = if first.attempts >= SUSPECT {
            due.truncate(1);
            // Spread beyond the gap: what died together must not come back together, or an innocent would share the
            // deaths of a job that kills its process until it is dead itself.
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
            tracing::warn!(jobs = ?ids, queue, "started before, and their worker was never heard of again");
            lost.iter().for_each(|job| measures::ended(queue, &job.kind, End::Lost));
        }
        Ok(())
    }

    /// Locks what was claimed, for the whole run. Rows that were taken over meanwhile are dropped.
    fn hold(
        &self,
        connection: &mut PgConnection,
        claimed: Vec<DueJob>,
        limit: Option<Duration>,
    ) -> Result<Vec<DueJob>, RunnerError> {
        let claims: Vec<_> = claimed.iter().map(|job| (job.id, job.claim_no)).collect();
        let hold = if self.settings.hold_skips_locked { storage::hold_skipping } else { storage::hold };
        let held = hold(connection, &claims, limit)?;
        if held.len() < claims.len() {
            let dropped: Vec<_> = claims.into_iter().filter(|(id, _)| !held.contains(id)).collect();
            match storage::still_claimed(connection, &dropped)? {
                lost if lost.is_empty() => tracing::debug!(?dropped, "claims that another worker has taken over"),
                // It would wait for the end of its gap with nobody at it.
                lost => {
                    tracing::error!(jobs = ?lost, "claims were lost, and nobody took them over: a fault of the queue")
                }
            }
        }
        Ok(claimed.into_iter().filter(|job| held.contains(&job.id)).collect())
    }

    /// Runs the batch within a savepoint, so that a statement that failed leaves the transaction fit for the record.
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
                    Err(aborted) => JobError::failed(aborted),
                }
            }
            Err(everybody) => everybody,
        };
        if let Err(broken) = connection.with(|connection| unwind_to(connection, base)) {
            // There is no row to write it to any more.
            tracing::warn!(job = held[0].id, error = %everybody, "a job failed, and its connection is lost");
            return Err(broken.into());
        }
        let failure = everybody.failure();
        let same = || {
            if everybody.is_outage() { JobError::outage(failure.clone()) } else { JobError::failed(failure.clone()) }
        };
        Ok(held.iter().map(|_| Err(same())).collect())
    }

    fn record(
        &self,
        connection: &mut PgConnection,
        queue: &'static str,
        held: &[DueJob],
        verdicts: Verdicts,
    ) -> Result<Drained, RunnerError> {
        let mut done = Vec::new();
        let mut drained = Drained::default();
        for (job, verdict) in held.iter().zip(verdicts) {
            match verdict {
                Ok(outcome) => done.push((job.id, job.claim_no, outcome.detail)),
                Err(error) => {
                    let end = if error.is_outage() { End::Shared } else { End::Failed };
                    self.record_failure(connection, queue, &Claim::of(job), &error.to_string(), end)?;
                    drained.failed.push((job.id, error.to_string()));
                }
            }
        }
        if !done.is_empty() {
            drained.done = storage::finish(connection, &done, &self.worker)?;
            for job in held.iter().filter(|job| drained.done.contains(&job.id)) {
                if let (true, Some(key)) = (job.ordered, &job.key) {
                    storage::hand_on(connection, queue, &job.kind, key)?;
                }
                measures::ended(queue, &job.kind, End::Done);
            }
            storage::recover(connection, queue)?;
        }
        Ok(drained)
    }

    /// Writes a failure to its row: back to waiting, or to the dead.
    pub(super) fn record_failure(
        &self,
        connection: &mut PgConnection,
        queue: &'static str,
        claim: &Claim,
        text: &str,
        end: End,
    ) -> Result<(), RunnerError> {
        let policy = self.group(&claim.kind).policy();
        let attempts = claim.attempts.unsigned_abs();
        let text = &recordable(text);
        let written = if let End::Shared = end {
            storage::give_back(connection, claim.id, claim.claim_no, text, jittered(self.settings.shared_backoff))?
        } else if attempts < policy.max_attempts {
            let wait = jittered(policy.backoff.delay(attempts));
            storage::fail(connection, claim.id, claim.claim_no, text, wait)?
        } else {
            tell_of_death(queue, claim, text);
            measures::ended(queue, &claim.kind, End::Dead);
            storage::bury(connection, claim.id, claim.claim_no, text)?
        };
        if written > 0 {
            measures::ended(queue, &claim.kind, end);
        }
        Ok(())
    }

    fn group(&self, kind: &str) -> &dyn Group<Env> {
        self.registry.group_of(kind).expect("only kinds of the registry are claimed") // see `kinds_of`
    }
}

/// The span of a batch. It has the level of errors, so that a log of errors alone tells who asked for what failed.
fn span_of(queue: &str, held: &[DueJob]) -> tracing::Span {
    let about = listed(held.iter().filter_map(|job| job.key.as_deref()));
    let requests = listed(held.iter().filter_map(|job| job.request_id.as_deref()));
    let (first, count, attempt) = (held[0].id, held.len(), held[0].attempts);
    tracing::error_span!("jobs", queue, first, count, kind = held[0].kind, attempt, about, requests)
}

/// A job that failed, for the log.
struct Failed<'a> {
    job: &'a DueJob,
    failure: Failure,
    shared: bool,
}

impl<'a> Failed<'a> {
    fn of((job, verdict): (&'a DueJob, &Result<Outcome, JobError>)) -> Option<Self> {
        let error = verdict.as_ref().err()?;
        Some(Self { job, failure: error.failure(), shared: error.is_outage() })
    }

    /// What failed for a reason of its own is told job by job; what was everybody's is told once for the batch, whose span
    /// names the others: an outage would otherwise be thousands of lines.
    fn log_all(failures: &[Self], queue: &str) {
        let (shared, own): (Vec<_>, Vec<_>) = failures.iter().partition(|failed| failed.shared);
        own.iter().for_each(|failed| failed.log(queue, 0));
        if let Some(first) = shared.iter().find(|failed| !failed.is_repeated()).or(shared.first()) {
            first.log(queue, shared.len() - 1);
        }
    }

    /// Whether the job failed so the last time as well.
    fn is_repeated(&self) -> bool {
        self.job.last_error.as_deref() == Some(&recordable(&self.failure.to_string()))
    }

    fn log(&self, queue: &str, others: usize) {
        let DueJob { id, kind, key, request_id, attempts, .. } = self.job;
        let again = self.is_repeated();
        let error: &(dyn std::error::Error + 'static) = &self.failure;
        tracing::warn!(
            job = id,
            queue,
            kind,
            key = key.as_deref(),
            attempt = attempts,
            request = request_id.as_deref(),
            shared = self.shared,
            again,
            others,
            error,
            "a job failed"
        );
    }
}

fn tell_of_death(queue: &str, claim: &Claim, error: &str) {
    let Claim { id, kind, key, request_id, attempts, .. } = claim;
    let (key, request) = (key.as_deref(), request_id.as_deref());
    tracing::error!(job = id, queue, kind, key, attempt = attempts, request, error, "a job is dead");
}

/// A failure as its row can hold it: a remote or a program may have said anything, and a failure that cannot be recorded
/// would cost the job its attempts without a trace.
fn recordable(text: &str) -> String {
    let mut characters = text.chars().map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c });
    let mut recordable: String = characters.by_ref().take(LONGEST_ERROR).collect();
    if characters.next().is_some() {
        recordable.push('…');
    }
    recordable
}

/// Spreads retries, so that jobs which failed together don't come back together.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::random_range(0.8..1.2))
}
