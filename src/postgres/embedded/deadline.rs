//! Waiting for another process by polling.

use std::thread;
use std::time::{Duration, Instant};

/// The time between two polls. It is short against a start, which takes about a second.
const INTERVAL: Duration = Duration::from_millis(10);

/// Polls until there is a result; `None` when `limit` has passed without one.
pub(super) fn until<T>(limit: Duration, mut poll: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(result) = poll() {
            return Some(result);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(INTERVAL);
    }
}
