//! A limit on units per second.

use std::time::{Duration, Instant};

/// The longest pause between two checks for a stop.
const SLICE: Duration = Duration::from_millis(100);

/// Allows units per second on average. Unused time counts for one second at most.
pub(super) struct Throttle {
    rate: Option<f64>,
    /// When the next unit may be taken.
    due: Instant,
}

impl Throttle {
    /// None: no limit.
    pub(super) fn new(rate: Option<f64>) -> Self {
        Self { rate, due: Instant::now() }
    }

    /// Waits until that many units are allowed, or `stopped` returns true.
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
    fn units_are_allowed_at_the_rate_and_a_stop_ends_the_wait() {
        let start = Instant::now();
        let mut throttle = Throttle::new(Some(100_000.0));
        (0..20).for_each(|_| throttle.take(1_000, &|| false));
        assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());
        Throttle::new(Some(0.001)).take(1_000_000, &|| true);
        Throttle::new(None).take(u64::MAX, &|| false);
    }
}
