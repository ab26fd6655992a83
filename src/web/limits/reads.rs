//! The share of the database connections that reads may use. The rest is for requests that change something, so that no
//! number of readers keeps a publish waiting.
//!
//! A read that finds its share in use waits without a connection and without a thread.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::database::Pool;

tokio::task_local! {
    /// Set while a request is handled that only reads.
    static READS: ();
}

/// Marks requests that only read.
pub(crate) async fn mark(request: Request, next: Next) -> Response {
    if request.method().is_safe() { only(next.run(request)).await } else { next.run(request).await }
}

/// Marks what only reads, and runs when the answer to its request has begun.
pub(crate) async fn only<T>(reading: impl Future<Output = T>) -> T {
    READS.scope((), reading).await
}

/// The connections that reads may use at the same time.
pub(crate) struct ReadShare(Option<Arc<Semaphore>>);

impl ReadShare {
    /// Three quarters of the pool's connections, and all but one of a small pool. A test's single connection is not shared
    /// out.
    pub fn of(pool: &Pool) -> Self {
        Self(pool.state().map(|state| Arc::new(Semaphore::new(share(state.max)))))
    }

    /// Waits until the current request may use a connection: at once if it changes something. None if that takes longer
    /// than `wait`; the permit must be kept as long as the connection.
    pub async fn acquire(&self, wait: Duration) -> Option<Option<OwnedSemaphorePermit>> {
        match &self.0 {
            Some(share) if READS.try_with(|()| ()).is_ok() => {
                // It is never closed.
                timeout(wait, Arc::clone(share).acquire_owned()).await.ok()?.ok().map(Some)
            }
            _ => Some(None),
        }
    }
}

fn share(connections: u32) -> usize {
    let reserved = (connections / 4).max(1);
    connections.saturating_sub(reserved).max(1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_reserved_and_at_least_one_but_reads_have_one_too() {
        assert_eq!([1, 2, 3, 4, 8, 16, 100].map(share), [1, 1, 2, 3, 6, 12, 75]);
    }
}
