//! The error of a job: a failure of the job, or an outage that affects every job.

use std::error::Error;
use std::fmt;

use crate::error_chain::ErrorChain;

/// Why a job did not succeed.
#[derive(Debug)]
pub struct JobError {
    cause: Box<dyn Error + Send + Sync>,
    is_outage: bool,
    panicked: bool,
}

/// A job's panic with its message.
#[derive(Debug, thiserror::Error)]
#[error("the job panicked: {0}")]
struct Panicked(String);

impl JobError {
    /// A failure of this job. It costs an attempt.
    pub fn failed(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), is_outage: false, panicked: false }
    }

    /// A failure that would affect any job now, such as a full disk or a remote that is down. It costs the job no
    /// attempt, and the next success in the queue makes all jobs due that wait for the end of an outage.
    pub fn outage(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), is_outage: true, panicked: false }
    }

    pub(super) fn panicked(message: String) -> Self {
        Self { cause: Box::new(Panicked(message)), is_outage: false, panicked: true }
    }

    /// The same error for another member of the batch.
    pub(super) fn duplicate(&self) -> Self {
        Self { cause: Box::new(self.chain()), ..*self }
    }

    pub fn is_outage(&self) -> bool {
        self.is_outage
    }

    /// Whether the job panicked. The panic hook has logged the panic already, with its location.
    pub fn is_panic(&self) -> bool {
        self.panicked
    }

    /// The cause with its own causes, as it is logged and recorded.
    pub fn chain(&self) -> ErrorChain {
        ErrorChain::of(&*self.cause)
    }
}

/// The whole chain of causes, outermost first.
impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chain().fmt(f)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for JobError {
    fn from(cause: E) -> Self {
        Self::failed(cause)
    }
}
