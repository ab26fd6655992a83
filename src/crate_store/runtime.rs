//! The runtime that the object store's async interface runs in.
//!
//! Callers are on threads that may block; some have no runtime and some belong to another one. The store's connections
//! and file operations belong to this runtime, which lives as long as the store, so they outlast the request that
//! opened them.
//!
//! A bucket can be slow or silent for minutes, but a request must not be. Requests to a bucket therefore have a time
//! limit, retries included (a download may take as long as its reader, but no single piece longer than the limit), and
//! only a fixed number waits at the same time: otherwise a silent bucket would occupy every thread that the web has.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;

use super::error::{CrateStoreError, Failure};

/// Requests that may wait for a bucket at once. The web has 64 threads for everything that blocks.
const WAITING: usize = 40;
/// How long one more request waits for its turn.
const TURN: Duration = Duration::from_secs(1);

/// A runtime that every clone of a store shares.
pub(super) struct StoreRuntime {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    bounds: Option<Bounds>,
}

struct Bounds {
    limit: Duration,
    waiting: Semaphore,
}

impl StoreRuntime {
    /// For a local directory: no time limit.
    pub(super) fn unbounded() -> Result<Arc<Self>, CrateStoreError> {
        Self::start(None)
    }

    /// For a bucket: each request takes at most `limit`.
    pub(super) fn bounded(limit: Duration) -> Result<Arc<Self>, CrateStoreError> {
        Self::start(Some(Bounds { limit, waiting: Semaphore::new(WAITING) }))
    }

    fn start(bounds: Option<Bounds>) -> Result<Arc<Self>, CrateStoreError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("crate-store").enable_all().build();
        Ok(Arc::new(Self { runtime: Some(runtime.map_err(CrateStoreError::Runtime)?), bounds }))
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("present until dropped") // drop has the only exclusive reference
    }

    pub(super) fn handle(&self) -> &Handle {
        self.runtime().handle()
    }

    /// Runs a request to its end, or to `limit` if that is shorter than the store's own. `what` is for the error.
    pub(super) fn wait_for<T>(
        &self,
        what: impl Fn() -> String,
        limit: Option<Duration>,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, CrateStoreError> {
        let done = self.runtime().block_on(async {
            let Some(bounds) = &self.bounds else { return Ok(request.await) };
            let turn = tokio::time::timeout(TURN, bounds.waiting.acquire()).await;
            let _turn = turn.map_err(|_| CrateStoreError::Busy { waiting: WAITING })?;
            let limit = limit.map_or(bounds.limit, |limit| limit.min(bounds.limit));
            let timed_out = |_| CrateStoreError::Failed { what: what(), failure: Failure::TimedOut(limit) };
            tokio::time::timeout(limit, request).await.map_err(timed_out)
        })?;
        done.map_err(|error| CrateStoreError::Failed { what: what(), failure: Failure::of(&error) })
    }
}

/// The last owner may be a task, which must not wait for the runtime's end.
impl Drop for StoreRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
