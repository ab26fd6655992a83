//! The log of a database that cannot be reached: all threads of a process find that out, again and again.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How often it is logged.
const EVERY: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct OutageLog(Mutex<Option<Instant>>);

impl OutageLog {
    /// Whether it is to be logged as a warning: once for all threads, and then every 30 seconds.
    pub(super) fn is_due(&self) -> bool {
        let mut last = self.0.lock();
        let is_due = last.is_none_or(|last| last.elapsed() >= EVERY);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }

    /// The next outage is logged at once.
    pub(super) fn is_over(&self) {
        *self.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_of_many_logs_an_outage() {
        let log = OutageLog::default();
        assert_eq!([log.is_due(), log.is_due(), log.is_due()], [true, false, false]);
        log.is_over();
        assert!(log.is_due());
    }
}
