//! The state of this process's workers, for health checks.

use std::sync::Arc;

/// The workers of one queue in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueWorkers {
    pub queue: &'static str,
    /// Threads that work or stand by.
    pub threads: usize,
    /// Those with a database session.
    pub connected: usize,
    /// Threads whose job was cut off and still runs.
    pub hung: usize,
}

/// Reads the state of the workers at any time without waiting. Cheap to clone.
#[derive(Clone)]
pub struct WorkersView(Arc<dyn Fn() -> Vec<QueueWorkers> + Send + Sync>);

impl WorkersView {
    pub(super) fn new(look: impl Fn() -> Vec<QueueWorkers> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    /// The workers of each queue, including queues without any.
    pub fn look(&self) -> Vec<QueueWorkers> {
        (self.0)()
    }
}
