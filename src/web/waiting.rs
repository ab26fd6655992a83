//! Holding an answer back until its job is done, for a bounded time.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::queue::wakeup::Registration;
use crate::queue::{Completions, JobId};

/// Waits for one job.
pub struct JobWaiter {
    done: oneshot::Receiver<()>,
    /// Dropped with the waiter, so that an answer that gave up leaves nothing behind.
    _registration: Registration,
}

impl JobWaiter {
    /// Registers before the job's transaction commits, so that its end can't be missed.
    pub fn register(completions: &Completions, job: JobId) -> Self {
        let (tell, done) = oneshot::channel();
        let registration = completions.register(job, move || {
            // The receiver is gone when the answer did not wait that long.
            let _ = tell.send(());
        });
        Self { done, _registration: registration }
    }

    /// Whether the job was done in time.
    pub async fn wait(self, at_most: Duration) -> bool {
        matches!(tokio::time::timeout(at_most, self.done).await, Ok(Ok(())))
    }
}
