//! Turns for work that takes a processor and much memory: opening a tarball and parsing the manifest in it.

use parking_lot::{Condvar, Mutex};

/// So many at a time; others wait on their threads.
pub struct Turns {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Turns {
    /// One for each processor, two at least, and eight at most.
    pub fn for_processors() -> Self {
        Self::new(std::thread::available_parallelism().map_or(2, |processors| processors.get().clamp(2, 8)))
    }

    fn new(free: usize) -> Self {
        Self { free: Mutex::new(free), freed: Condvar::new() }
    }

    /// Does the work when it is its turn.
    pub fn take<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut free = self.free.lock();
        self.freed.wait_while(&mut free, |free| *free == 0);
        *free -= 1;
        drop(free);
        // Also after a panic, which ends the request alone.
        let _given_back = GiveBack(self);
        work()
    }
}

struct GiveBack<'a>(&'a Turns);

impl Drop for GiveBack<'_> {
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
    fn so_many_work_at_a_time_and_a_panic_gives_its_turn_back() {
        let (turns, working, most) = (Turns::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        turns.take(|| {
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
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| turns.take(|| panic!("a panic"))));
            assert!(panicked.is_err());
        }
        assert_eq!(turns.take(|| 1), 1);
    }
}
