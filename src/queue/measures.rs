//! What the queue tells of itself while it works, through the `metrics` facade: whoever puts the process together chooses
//! who listens. The state of the whole queue is not counted here but read from the database, by
//! [`inspection::gauges`](super::inspection::gauges).

use std::time::Duration;

/// Seconds from the time a job was due to its start, by queue and kind.
pub const WAIT_SECONDS: &str = "supercargo_job_wait_seconds";
/// Seconds that a run took, by queue and kind; a batch counts once, under the kind of its first job.
pub const RUN_SECONDS: &str = "supercargo_job_run_seconds";
/// Jobs in a run, by queue.
pub const BATCH_JOBS: &str = "supercargo_job_batch_jobs";
/// Attempts that ended, by queue, kind and outcome.
pub const ENDED: &str = "supercargo_job_attempts_total";
/// What the sweep met, by finding.
pub const SWEEP_FINDINGS: &str = "supercargo_sweep_findings_total";
/// Seconds that a sweep took.
pub const SWEEP_SECONDS: &str = "supercargo_sweep_seconds";
/// Threads of this process that run a job which was cut off, by queue.
pub const HUNG_WORKERS: &str = "supercargo_hung_workers";

/// Names and help texts, for the consumer.
pub fn describe() {
    metrics::describe_histogram!(WAIT_SECONDS, metrics::Unit::Seconds, "From the time a job was due to its start");
    metrics::describe_histogram!(RUN_SECONDS, metrics::Unit::Seconds, "Length of a run; a batch counts once");
    metrics::describe_histogram!(BATCH_JOBS, "Jobs in a run");
    metrics::describe_counter!(ENDED, "Attempts that ended: done, failed, shared, cut_off, lost, dead");
    metrics::describe_counter!(
        SWEEP_FINDINGS,
        "What the sweep met: buried, terminated, unknown_kind, stuck_turn, error, pruned"
    );
    metrics::describe_histogram!(SWEEP_SECONDS, metrics::Unit::Seconds, "Length of a sweep");
    metrics::describe_gauge!(HUNG_WORKERS, "Threads of this process whose job was cut off and has not come back");
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Done,
    /// The job's own failure.
    Failed,
    /// Everybody's failure.
    Shared,
    /// It took too long.
    CutOff,
    /// Its worker was never heard of again.
    Lost,
    /// The last one: the job is dead.
    Dead,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Shared => "shared",
            Self::CutOff => "cut_off",
            Self::Lost => "lost",
            Self::Dead => "dead",
        }
    }
}

pub(super) fn started(queue: &'static str, kind: &str, waited: f64) {
    metrics::histogram!(WAIT_SECONDS, "queue" => queue, "kind" => kind.to_owned()).record(waited.max(0.0));
}

pub(super) fn ran(queue: &'static str, kind: &str, jobs: usize, took: Duration) {
    metrics::histogram!(RUN_SECONDS, "queue" => queue, "kind" => kind.to_owned()).record(took);
    metrics::histogram!(BATCH_JOBS, "queue" => queue).record(u32::try_from(jobs).unwrap_or(u32::MAX));
}

pub(super) fn ended(queue: &'static str, kind: &str, end: End) {
    metrics::counter!(ENDED, "queue" => queue, "kind" => kind.to_owned(), "outcome" => end.name()).increment(1);
}

pub(super) fn swept(finding: &'static str, count: usize) {
    metrics::counter!(SWEEP_FINDINGS, "finding" => finding).increment(u64::try_from(count).unwrap_or(u64::MAX));
}

pub(super) fn sweep_took(took: Duration) {
    metrics::histogram!(SWEEP_SECONDS).record(took);
}

pub(super) fn hung(queue: &'static str, threads: usize) {
    metrics::gauge!(HUNG_WORKERS, "queue" => queue).set(u32::try_from(threads).unwrap_or(u32::MAX));
}
