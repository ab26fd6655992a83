//! The span of a batch of jobs: for the log, and in the traces of the requests that enqueued them.

use opentelemetry::KeyValue;
use tracing::Span;

use super::claim::DueJob;
use super::job::Outcome;
use super::job_error::JobError;
use super::performing::listed;
use super::registry::Verdicts;
use crate::trace::{self, JobFacts};

/// The span of a batch. Its level is error, so that even a log of errors alone shows which requests failed.
pub(super) fn of_batch(queue: &'static str, held: &[DueJob]) -> Span {
    let about = listed(held.iter().filter_map(|job| job.key.as_deref()));
    let requests = listed(held.iter().filter_map(|job| job.request_id.as_deref()));
    let (first, count, attempt) = (held[0].id, held.len(), held[0].attempts);
    let span = tracing::error_span!("jobs", queue, first, count, kind = held[0].kind, attempt, about, requests);
    trace::begin_jobs(&span, held.iter().map(|job| traced(queue, job, count)));
    span
}

fn traced<'a>(queue: &'static str, job: &'a DueJob, batch: usize) -> JobFacts<'a> {
    let mut attributes = vec![
        KeyValue::new("supercargo.queue", queue),
        KeyValue::new("supercargo.job.id", job.id),
        KeyValue::new("supercargo.job.kind", job.kind.clone()),
        KeyValue::new("supercargo.job.attempt", i64::from(job.attempts)),
        KeyValue::new("supercargo.job.wait_seconds", job.waited.max(0.0)),
        KeyValue::new("supercargo.job.batch_size", i64::try_from(batch).unwrap_or(i64::MAX)),
    ];
    attributes.extend(job.request_id.clone().map(|id| KeyValue::new("supercargo.request.id", id)));
    JobFacts { traceparent: job.traceparent.as_deref(), name: format!("job {}", job.kind), attributes }
}

/// Notes how the jobs ended, after that was committed.
pub(super) fn end(span: &Span, verdicts: &Verdicts) {
    trace::end_jobs(span, |place| verdicts.get(place).and_then(|verdict| error(verdict)));
}

/// Why a job failed, in one word; the log has the error's text, which may quote anything.
fn error(verdict: &Result<Outcome, JobError>) -> Option<&'static str> {
    match verdict {
        Ok(_) => None,
        Err(error) if error.is_panic() => Some("panic"),
        Err(error) if error.is_outage() => Some("outage"),
        Err(_) => Some("failed"),
    }
}
