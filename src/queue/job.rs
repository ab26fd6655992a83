//! What a job is: its kind, its policy, how it ends.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Identifies a job for as long as anything of it is kept, in order of arrival.
pub type JobId = i64;

/// The data of one kind of job, as it is stored between being asked for and being done.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// Names the kind in the table. Never reused for something else: rows outlive programs.
    const KIND: &'static str;

    /// How jobs of this kind are treated.
    const POLICY: Policy;

    /// What the job is about: for people, for the history, and for kinds that are ordered or deduplicated. It has at
    /// most [`MAX_KEY`](super::MAX_KEY) bytes.
    fn key(&self) -> Option<String> {
        None
    }
}

/// How jobs of one kind are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The queue its rows wait in. Every queue has workers of its own.
    pub queue: &'static str,
    /// Higher runs first, within the queue.
    pub priority: i16,
    /// A job that was started this often without success is dead.
    pub max_attempts: u32,
    /// How long a job waits after a failure of its own.
    pub backoff: Backoff,
    /// The longest a run may take; then its session is ended, the failure recorded, and the job tried again. A held row
    /// lock keeps VACUUM from cleaning up, so a minute is long.
    pub time_limit: Duration,
    /// Whether jobs of one key wait for each other.
    pub order: Order,
    /// What becomes of a request for a job whose like is owed already.
    pub duplicates: Duplicates,
}

/// Whether the jobs of a kind that share a key wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// They run in any order, and at the same time. Right for jobs that read what is wanted when they run.
    Any,
    /// One at a time, in the order in which they were enqueued. Strict: one that waits, even in backoff, is not
    /// overtaken; one that is dead no longer stands in the way. Such a kind can't be a member of a batch.
    ByKey,
}

/// What becomes of a request for a job whose like (same kind, same key) is owed already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// It is a job of its own.
    Keep,
    /// The one that waits is made due and stands for both, its attempts and its last error as they were. One that runs
    /// does not count, since it may have read older data. For kinds whose key says everything: the payload of the
    /// second request is dropped.
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
        }
    }
}

/// Exponential backoff with a ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub base: Duration,
    pub cap: Duration,
}

impl Backoff {
    /// The wait after `attempts` starts, before jitter. The exponent is clamped, so that no count overflows.
    pub fn delay(&self, attempts: u32) -> Duration {
        self.base.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(self.cap)
    }
}

/// What a finished job reports for the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The id of a commit, say.
    pub detail: Option<String>,
}

/// Why a job did not succeed.
#[derive(Debug)]
pub struct JobError {
    cause: Box<dyn Error + Send + Sync>,
    shared: bool,
}

impl JobError {
    /// A failure that would meet any job now, such as a disk or a remote that is away. It costs the job no attempt, and
    /// the first success of the queue wakes all that wait because of one.
    pub fn outage(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), shared: true }
    }

    /// A failure of this job.
    pub fn failed(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), shared: false }
    }

    pub fn is_outage(&self) -> bool {
        self.shared
    }

    /// The failure as it is logged.
    pub fn failure(&self) -> Failure {
        if let Some(failure) = self.cause.downcast_ref::<Failure>() {
            return failure.clone();
        }
        let first: &(dyn Error + 'static) = &*self.cause;
        let chain = std::iter::successors(Some(first), |&error| error.source());
        Failure {
            text: self.to_string(),
            causes: chain.map(ToString::to_string).collect(),
            panicked: self.cause.is::<Panicked>(),
        }
    }
}

/// A failure as it is logged: one line of text with the whole chain, for people; and the causes one by one, outermost
/// first, for whoever reads them so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    text: String,
    causes: Vec<String>,
    panicked: bool,
}

impl Failure {
    /// The causes one by one, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// The job panicked, which the panic hook has told already, with the place.
    pub fn panicked(&self) -> bool {
        self.panicked
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Failure {}

/// What a job that panicked said.
#[derive(Debug, thiserror::Error)]
#[error("the job panicked: {0}")]
pub(super) struct Panicked(pub String);

/// The whole chain of causes, outermost first.
impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        let mut last = self.cause.to_string();
        let mut source = self.cause.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Some errors print their source themselves.
            if !last.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            last = text;
            source = cause.source();
        }
        Ok(())
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for JobError {
    fn from(cause: E) -> Self {
        Self::failed(cause)
    }
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

    #[test]
    fn an_error_text_holds_the_whole_chain_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the index could not be written")]
        struct Outer(#[source] std::io::Error);
        let error = JobError::from(Outer(std::io::Error::other("no space left")));
        assert_eq!(error.to_string(), "the index could not be written: no space left");

        #[derive(Debug, thiserror::Error)]
        #[error("cannot write: {0}")]
        struct Repeats(#[source] std::io::Error);
        let error = JobError::from(Repeats(std::io::Error::other("no space left")));
        assert_eq!(error.to_string(), "cannot write: no space left");
    }
}
