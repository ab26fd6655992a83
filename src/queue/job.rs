//! A job: its data, kind and policy, and its result.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The id of a job, in order of arrival. It stays the same in the history.
pub type JobId = i64;

/// The data of one kind of job, as it is stored until the job is done.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// The name of the kind in the table. Never reuse it for another kind: rows outlive programs.
    const KIND: &'static str;

    /// How jobs of this kind are treated.
    const POLICY: Policy;

    /// The subject of the job, for logs and the history, and the key of kinds that are ordered or deduplicated. At most
    /// [`MAX_KEY`](super::MAX_KEY) bytes.
    fn key(&self) -> Option<String> {
        None
    }
}

/// How jobs of one kind are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The queue of its rows. Every queue has its own workers.
    pub queue: &'static str,
    /// Higher runs first, within the queue.
    pub priority: i16,
    /// A job is dead after this many starts without success.
    pub max_attempts: u32,
    /// How long a job waits after a failure.
    pub backoff: Backoff,
    /// The longest duration of a run. After that the session is ended, the failure recorded, and the job retried. A row
    /// lock that is held keeps VACUUM from cleaning up, so a minute is long.
    pub time_limit: Duration,
    /// Whether jobs of one key wait for each other.
    pub order: Order,
    /// How a job is enqueued if one of its kind and key is pending.
    pub duplicates: Duplicates,
    /// Whether it depends on somebody else's server, so that its failures say nothing of this installation. Something else than
    /// the age of the oldest job has to watch over such jobs.
    pub is_of_others: bool,
}

/// Whether the jobs of a kind that share a key wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// In any order and concurrently. Right for jobs that read the desired state when they run.
    Any,
    /// One at a time, in the order in which they were enqueued. No job overtakes another, even one in backoff; a dead job
    /// does not block the next. Such a kind cannot be a member of a batch.
    ByKey,
}

/// How a job is enqueued if one of the same kind and key, its twin, is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// As a separate job.
    Keep,
    /// Not at all: the waiting twin becomes due and serves for both; its attempts and last error are kept. A running twin
    /// does not count, since it may have read older data. The new payload is dropped, so the key must identify the work
    /// completely.
    WakeTwin,
}

impl Policy {
    /// The defaults: 15 attempts over about an hour and a half, one minute a run, no order, no deduplication.
    pub const fn in_queue(queue: &'static str) -> Self {
        Self {
            queue,
            priority: 0,
            max_attempts: 15,
            backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(15 * 60) },
            time_limit: Duration::from_secs(60),
            order: Order::Any,
            duplicates: Duplicates::Keep,
            is_of_others: false,
        }
    }
}

/// Exponential backoff with a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub base: Duration,
    pub cap: Duration,
}

impl Backoff {
    /// The wait after `attempts` starts, before jitter. The exponent is clamped so that no count overflows.
    pub fn delay(&self, attempts: u32) -> Duration {
        self.base.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(self.cap)
    }
}

/// The result of a finished job, for the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// For example the id of a commit.
    pub detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_to_its_cap_and_survives_any_count() {
        let backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(300) };
        let delays = [0, 1, 2, 3, 9, 10, 40, u32::MAX].map(|attempts| backoff.delay(attempts).as_secs());
        assert_eq!(delays, [1, 1, 2, 4, 256, 300, 300, 300]);
    }
}
