//! The error of a worker's cycle.

/// Why a worker's cycle failed. The rows are as they were, except for the counted start.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    #[error("cannot connect to the database: {0}")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("a statement of the queue failed")]
    Database(#[from] diesel::result::Error),
    #[error("the connection is one to a former primary of the database")]
    Outdated,
    #[error("this worker was cut off and replaced")]
    CutOff,
    #[error(transparent)]
    Fault(#[from] crate::fault::Fault),
}
