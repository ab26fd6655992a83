//! The spans that wait to be sent, and what becomes of those for which there is no space.

use std::sync::atomic::{AtomicBool, Ordering};

use super::measures::DROPPED;
use super::queue::{Push, Queue};
use super::spans::Finished;

/// Spans that have ended and are not sent yet.
pub(super) struct Spans {
    pub(super) queue: Queue<Finished>,
    has_dropped: AtomicBool,
}

impl Spans {
    pub(super) fn new(capacity: usize, batch: usize) -> Self {
        Self { queue: Queue::new(capacity, batch), has_dropped: AtomicBool::new(false) }
    }

    /// Queues a span, or drops it if there is no space.
    pub(super) fn add(&self, finished: Finished) {
        let count = finished.count();
        if self.queue.push(finished, count) == Push::Dropped {
            self.dropped(count, "queue_full");
        }
    }

    /// Counts spans that are not exported.
    pub(super) fn dropped(&self, count: usize, reason: &'static str) {
        metrics::counter!(DROPPED, "reason" => reason).increment(u64::try_from(count).unwrap_or(u64::MAX));
        if !self.has_dropped.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason, "spans were dropped; this is logged once, and {DROPPED} counts them");
        }
    }
}
