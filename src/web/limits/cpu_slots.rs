//! Slots for work that uses much CPU and memory: opening a tarball and parsing its manifest.

use parking_lot::{Condvar, Mutex};

/// A fixed number of slots. Callers beyond it wait on their threads.
pub struct CpuSlots {
    free: Mutex<usize>,
    freed: Condvar,
}

impl CpuSlots {
    /// One slot for each processor, at least two and at most eight.
    pub fn for_processors() -> Self {
        Self::new(std::thread::available_parallelism().map_or(2, |processors| processors.get().clamp(2, 8)))
    }

    fn new(free: usize) -> Self {
        Self { free: Mutex::new(free), freed: Condvar::new() }
    }

    /// Waits for a slot and runs the work in it.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut free = self.free.lock();
        self.freed.wait_while(&mut free, |free| *free == 0);
        *free -= 1;
        drop(free);
        // Dropped after a panic, too, which ends this request only.
        let _release = Release(self);
        work()
    }
}

struct Release<'a>(&'a CpuSlots);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn work_never_uses_more_slots_than_there_are_and_a_panic_frees_its_slot() {
        let (slots, working, most) = (CpuSlots::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        slots.run(|| {
                            most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                            std::thread::yield_now();
                            working.fetch_sub(1, Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
        for _ in 0..3 {
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| slots.run(|| panic!("a panic"))));
            assert!(panicked.is_err());
        }
        assert_eq!(slots.run(|| 1), 1);
    }
}
