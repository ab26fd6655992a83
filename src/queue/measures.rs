//! The metrics of a working process, written through the `metrics` facade. The numbers of jobs in the whole installation
//! are read from the database, by [`inspection::gauges`](super::inspection::gauges).

use std::time::Duration;

/// Seconds from a job's due time to its start, by queue and kind.
pub const WAIT_SECONDS: &str = "supercargo_job_wait_seconds";
/// Seconds of a run, by queue and kind; a batch counts once, under the kind of its first job.
pub const RUN_SECONDS: &str = "supercargo_job_run_seconds";
/// Jobs in a run, by queue.
pub const BATCH_JOBS: &str = "supercargo_job_batch_jobs";
/// Attempts that ended, by queue, kind and outcome.
pub const ENDED: &str = "supercargo_job_attempts_total";
/// Findings of the sweep, by finding.
pub const SWEEP_FINDINGS: &str = "supercargo_sweep_findings_total";
/// Seconds of a sweep.
pub const SWEEP_SECONDS: &str = "supercargo_sweep_seconds";
/// Threads of this process whose job was cut off and still runs, by queue.
pub const HUNG_WORKERS: &str = "supercargo_hung_workers";

/// Registers the help texts.
pub fn describe() {
    metrics::describe_histogram!(WAIT_SECONDS, metrics::Unit::Seconds, "Time from a job's due time to its start");
    metrics::describe_histogram!(RUN_SECONDS, metrics::Unit::Seconds, "Duration of a run; a batch counts once");
    metrics::describe_histogram!(BATCH_JOBS, "Jobs in a run");
    metrics::describe_counter!(ENDED, "Ended attempts by outcome: done, failed, outage, cut_off, lost, dead");
    metrics::describe_counter!(
        SWEEP_FINDINGS,
        "Findings of the sweep: buried, terminated, held_by_others, unknown_kind, stuck_turn, error, pruned"
    );
    metrics::describe_histogram!(SWEEP_SECONDS, metrics::Unit::Seconds, "Duration of a sweep");
    metrics::describe_gauge!(HUNG_WORKERS, "Threads of this process whose job was cut off and still runs");
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Done,
    /// A failure of the job.
    Failed,
    /// A failure that affects every job.
    Outage,
    /// It was over its time limit.
    CutOff,
    /// Its worker is gone.
    Lost,
    /// The last allowed attempt failed: the job is dead.
    Dead,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Outage => "outage",
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
