//! Not going faster than was allowed.

use std::time::{Duration, Instant};

/// How long a pause may be without asking whether to stop.
const SLICE: Duration = Duration::from_millis(100);

/// Units a second, on average since the start. Time that was not used is not saved up for more than a second.
pub(super) struct Throttle {
    rate: Option<f64>,
    /// When the next unit may be taken.
    due: Instant,
}

impl Throttle {
    /// None: as fast as it goes.
    pub(super) fn new(rate: Option<f64>) -> Self {
        Self { rate, due: Instant::now() }
    }

    /// Waits until so many units were allowed, or `stopped` says to stop.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
    pub(super) fn take(&mut self, units: u64, stopped: &dyn Fn() -> bool) {
        let Some(rate) = self.rate else { return };
        let now = Instant::now();
        let earliest = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
        self.due = self.due.max(earliest) + Duration::from_secs_f64((units as f64 / rate).min(3600.0));
        while !stopped() {
            let left = self.due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(SLICE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_given_out_at_the_rate_and_a_stop_ends_the_wait() {
        let start = Instant::now();
        let mut throttle = Throttle::new(Some(100_000.0));
        (0..20).for_each(|_| throttle.take(1_000, &|| false));
        assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());
        Throttle::new(Some(0.001)).take(1_000_000, &|| true);
        Throttle::new(None).take(u64::MAX, &|| false);
    }
}
