//! Holding an answer back until its job is done, for a bounded time.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::index::Index;
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

    /// Whether the job was done in time, and readers of this process see it. The job may have been another machine's; then
    /// the mirror here has to follow.
    pub async fn wait(self, index: &Index, at_most: Duration) -> bool {
        let Self { done, _registration } = self;
        let shown = async {
            done.await?;
            match index.remote() {
                None => Ok(()),
                Some(remote) => {
                    let (tell, followed) = oneshot::channel();
                    remote.fetch_requests().request_and_notify(move || {
                        // The receiver is gone when the answer did not wait that long.
                        let _ = tell.send(());
                    });
                    followed.await
                }
            }
        };
        matches!(tokio::time::timeout(at_most, shown).await, Ok(Ok(())))
    }
}
