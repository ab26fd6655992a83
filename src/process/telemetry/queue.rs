//! The queue of finished spans: of bounded length, and never waited for by those who add to it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// What a full queue does with a new item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Push {
    Queued,
    Dropped,
}

pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Notified when a batch is complete, and when the queue is closed.
    ready: Condvar,
    /// The most items, and the size of a batch.
    capacity: usize,
    batch: usize,
}

struct State<T> {
    items: VecDeque<T>,
    is_closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize, batch: usize) -> Self {
        let state = State { items: VecDeque::new(), is_closed: false };
        Self { state: Mutex::new(state), ready: Condvar::new(), capacity, batch }
    }

    pub(super) fn push(&self, item: T) -> Push {
        let mut state = self.state.lock();
        if state.items.len() >= self.capacity || state.is_closed {
            return Push::Dropped;
        }
        state.items.push_back(item);
        if state.items.len() == self.batch {
            self.ready.notify_one();
        }
        Push::Queued
    }

    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.ready.notify_all();
    }

    /// The next batch: at once if it is complete or the queue is closed, else what is there after `delay`. `None` when the queue
    /// is closed and empty.
    pub(super) fn next(&self, delay: Duration) -> Option<Vec<T>> {
        let until = Instant::now() + delay;
        let mut state = self.state.lock();
        let is_waiting = |state: &mut State<T>| state.items.len() < self.batch && !state.is_closed;
        self.ready.wait_while_until(&mut state, is_waiting, until);
        if state.is_closed && state.items.is_empty() {
            return None;
        }
        let size = state.items.len().min(self.batch);
        Some(state.items.drain(..size).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn a_full_queue_drops_and_a_closed_one_is_emptied() {
        let queue = Queue::new(3, 2);
        assert!((0..3).all(|item| queue.push(item) == Push::Queued));
        assert_eq!(queue.push(3), Push::Dropped);
        assert_eq!(queue.next(LONG), Some(vec![0, 1]));
        assert_eq!(queue.next(Duration::ZERO), Some(vec![2]));
        assert_eq!(queue.next(Duration::ZERO), Some(vec![]));
        assert_eq!(queue.push(4), Push::Queued);
        queue.close();
        assert_eq!(queue.push(5), Push::Dropped);
        assert_eq!(queue.next(LONG), Some(vec![4]));
        assert_eq!(queue.next(LONG), None);
    }

    #[test]
    fn a_complete_batch_and_the_end_wake_the_reader() {
        let queue = Queue::new(10, 2);
        std::thread::scope(|scope| {
            let read = scope.spawn(|| [queue.next(LONG), queue.next(LONG)]);
            queue.push(0);
            queue.push(1);
            queue.close();
            assert_eq!(read.join().unwrap(), [Some(vec![0, 1]), None]);
        });
    }
}
