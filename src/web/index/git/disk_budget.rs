//! The disk space for git's answers.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number of bytes that answers can take and release.
#[derive(Debug)]
pub struct DiskBudget {
    used: AtomicU64,
    limit: AtomicU64,
}

impl DiskBudget {
    pub fn new(limit: u64) -> Self {
        Self { used: AtomicU64::new(0), limit: AtomicU64::new(limit) }
    }

    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether this many bytes are free.
    pub fn has(&self, bytes: u64) -> bool {
        self.used().saturating_add(bytes) <= self.limit.load(Ordering::Relaxed)
    }

    /// Takes this many bytes, or is false if they are not free.
    pub fn take(&self, bytes: u64) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let more = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_can_be_taken() {
        let budget = DiskBudget::new(10);
        assert!(budget.take(7) && !budget.take(4) && budget.take(3) && !budget.has(1));
        budget.release(10);
        assert!(budget.has(10) && budget.used() == 0);
    }
}
