//! Waiting for what happens in other processes.

use std::time::{Duration, Instant};

/// Far longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// FetchRequests again and again until `look` answers something. A test that waits in vain fails and says for what.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// Waits until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}
