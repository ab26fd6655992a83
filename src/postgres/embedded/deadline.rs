//! Waiting for another process, which can only be asked again and again.

use std::thread;
use std::time::{Duration, Instant};

/// How often is asked: a first start takes about a second, so that this is not felt.
const INTERVAL: Duration = Duration::from_millis(10);

/// Asks until there is an answer, or `None` when `limit` has passed without one.
pub(super) fn until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(INTERVAL);
    }
}
