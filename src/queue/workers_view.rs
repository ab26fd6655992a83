//! Whether anybody works in this process, for whoever looks after it.

use std::sync::Arc;

/// The workers of one queue in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueWorkers {
    pub queue: &'static str,
    /// Threads that work or stand by.
    pub threads: usize,
    /// Those of them that have a session of the database.
    pub connected: usize,
    /// Threads whose job was cut off and that have not come back.
    pub hung: usize,
}

/// A look at the workers of this process, which may be taken at any time and waits for nothing. Cheap to clone.
#[derive(Clone)]
pub struct WorkersView(Arc<dyn Fn() -> Vec<QueueWorkers> + Send + Sync>);

impl WorkersView {
    pub(super) fn new(look: impl Fn() -> Vec<QueueWorkers> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    /// Each queue, also those without anybody.
    pub fn look(&self) -> Vec<QueueWorkers> {
        (self.0)()
    }
}
