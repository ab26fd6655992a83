//! A limit on how often the same log line is written.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The time between two lines about the same thing.
const INTERVAL: Duration = Duration::from_secs(60);

/// Allows one log line a minute and counts the events that it stands for.
#[derive(Debug)]
pub struct LogLimit(Mutex<Since>);

#[derive(Debug)]
struct Since {
    logged: Option<Instant>,
    /// Events since that line.
    events: u64,
}

impl LogLimit {
    pub const fn new() -> Self {
        Self(Mutex::new(Since { logged: None, events: 0 }))
    }

    /// Counts an event. If a line is due, gives the number of events since the last one.
    pub fn count(&self) -> Option<u64> {
        let mut since = self.0.lock();
        since.events += 1;
        if since.logged.is_some_and(|at| at.elapsed() < INTERVAL) {
            return None;
        }
        since.logged = Some(Instant::now());
        Some(std::mem::take(&mut since.events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_events_are_one_line_with_their_count() {
        let limit = LogLimit::new();
        assert_eq!(limit.count(), Some(1));
        assert!((0..1000).all(|_| limit.count().is_none()));
        let a_minute_ago = Instant::now().checked_sub(INTERVAL).unwrap();
        limit.0.lock().logged = Some(a_minute_ago);
        assert_eq!(limit.count(), Some(1001));
    }
}
