//! The record of a cycle: receipts, retries, deaths and their log lines.

use diesel::PgConnection;

use super::claim::DueJob;
use super::inner::Inner;
use super::job::{JobId, Outcome};
use super::job_error::JobError;
use super::measures::{self, End};
use super::order;
use super::registry::Verdicts;
use super::runner_error::RunnerError;
use super::settings::jittered;
use super::slot::Claim;
use super::storage;
use crate::error_chain::ErrorChain;
use crate::full_disk::FullDisk;

/// Characters of an error that are kept.
const LONGEST_ERROR: usize = 16 * 1024;

/// What one or more cycles did.
#[derive(Debug, Default)]
pub struct Drained {
    pub done: Vec<JobId>,
    /// Jobs that failed, with the text that was written to their rows.
    pub failed: Vec<(JobId, String)>,
    /// Jobs that waited for the end of an outage and are due now.
    pub recovered: i64,
}

impl<Env: Send + Sync + 'static> Inner<Env> {
    /// Writes how each held job ended.
    pub(super) fn record(
        &self,
        connection: &mut PgConnection,
        queue: &'static str,
        held: &[DueJob],
        verdicts: &Verdicts,
    ) -> Result<Drained, RunnerError> {
        let mut done = Vec::new();
        let mut drained = Drained::default();
        for (job, verdict) in held.iter().zip(verdicts) {
            match verdict {
                Ok(outcome) => done.push((job.id, job.claim_no, outcome.detail.clone())),
                Err(error) => {
                    let end = if error.is_outage() { End::Outage } else { End::Failed };
                    self.record_failure(connection, queue, &Claim::of(job), &error.to_string(), end)?;
                    drained.failed.push((job.id, error.to_string()));
                }
            }
        }
        if !done.is_empty() {
            let finished = storage::finish(connection, queue, &done, &self.worker)?;
            (drained.done, drained.recovered) = (finished.ids, finished.recovered);
            for job in held.iter().filter(|job| drained.done.contains(&job.id)) {
                if let (true, Some(key)) = (job.ordered, &job.key) {
                    order::pass_turn(connection, queue, &job.kind, key)?;
                }
                measures::ended(queue, &job.kind, End::Done);
            }
        }
        Ok(drained)
    }

    /// Writes a failure to its row, which becomes due again later or moves to the dead jobs.
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
        let written = if let End::Outage = end {
            storage::give_back(connection, claim.id, claim.claim_no, text, jittered(self.settings.outage_backoff))?
        } else if attempts < policy.max_attempts {
            let wait = jittered(policy.backoff.delay(attempts));
            storage::fail(connection, claim.id, claim.claim_no, text, wait)?
        } else {
            log_death(queue, claim, text);
            measures::ended(queue, &claim.kind, End::Dead);
            storage::bury(connection, claim.id, claim.claim_no, text)?
        };
        if written > 0 {
            measures::ended(queue, &claim.kind, end);
        }
        Ok(())
    }
}

/// A job that failed, for the log.
pub(super) struct Failed<'a> {
    job: &'a DueJob,
    chain: ErrorChain,
    is_outage: bool,
    panicked: bool,
}

impl<'a> Failed<'a> {
    pub(super) fn of((job, verdict): (&'a DueJob, &Result<Outcome, JobError>)) -> Option<Self> {
        let error = verdict.as_ref().err()?;
        Some(Self { job, chain: error.chain(), is_outage: error.is_outage(), panicked: error.is_panic() })
    }

    /// Logs failures of single jobs one by one, and an outage once for the batch, whose span names the other jobs: an
    /// outage would otherwise write thousands of lines.
    pub(super) fn log_all(failures: &[Self], queue: &str) {
        let (outages, single): (Vec<_>, Vec<_>) = failures.iter().partition(|failed| failed.is_outage);
        single.iter().for_each(|failed| failed.log(queue, 0));
        if let Some(first) = outages.iter().find(|failed| !failed.is_repeated()).or(outages.first()) {
            if let Some(full) = FullDisk::behind(&first.chain) {
                full.report(&first.chain);
            }
            first.log(queue, outages.len() - 1);
        }
    }

    /// Whether the last attempt failed with the same error.
    fn is_repeated(&self) -> bool {
        self.job.last_error.as_deref() == Some(&recordable(&self.chain.to_string()))
    }

    fn log(&self, queue: &str, others: usize) {
        let DueJob { id, kind, key, request_id, attempts, .. } = self.job;
        let again = self.is_repeated();
        let error: &(dyn std::error::Error + 'static) = &self.chain;
        tracing::warn!(
            job = id,
            queue,
            kind,
            key = key.as_deref(),
            attempt = attempts,
            request = request_id.as_deref(),
            outage = self.is_outage,
            panicked = self.panicked,
            again,
            others,
            error,
            "a job failed"
        );
    }
}

pub(super) fn log_death(queue: &str, claim: &Claim, error: &str) {
    let Claim { id, kind, key, request_id, attempts, .. } = claim;
    let (key, request) = (key.as_deref(), request_id.as_deref());
    tracing::error!(job = id, queue, kind, key, attempt = attempts, request, error, "a job is dead");
}

/// An error as a row can hold it. The output of a remote or a program may contain anything, and a failure that cannot be
/// recorded would use up the job's attempts without a trace.
fn recordable(text: &str) -> String {
    let mut characters = text.chars().map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c });
    let mut recordable: String = characters.by_ref().take(LONGEST_ERROR).collect();
    if characters.next().is_some() {
        recordable.push('…');
    }
    recordable
}
