//! The request to stop the server, from the owner of the cluster to the supervisor's thread.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// A request that is made once and never withdrawn.
#[derive(Debug, Default)]
pub(super) struct StopRequest {
    requested: Mutex<bool>,
    changed: Condvar,
}

impl StopRequest {
    pub(super) fn request(&self) {
        *self.requested.lock() = true;
        self.changed.notify_all();
    }

    pub(super) fn is_requested(&self) -> bool {
        *self.requested.lock()
    }

    /// Waits for a request, at most `limit`; true when there is one.
    pub(super) fn wait(&self, limit: Duration) -> bool {
        let mut requested = self.requested.lock();
        self.changed.wait_while_for(&mut requested, |requested| !*requested, limit);
        *requested
    }
}
