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
    /// The most spans, and the spans of a batch.
    capacity: usize,
    batch: usize,
}

struct State<T> {
    /// Each with the number of its spans.
    items: VecDeque<(T, usize)>,
    /// The spans of all items.
    spans: usize,
    is_closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize, batch: usize) -> Self {
        let state = State { items: VecDeque::new(), spans: 0, is_closed: false };
        Self { state: Mutex::new(state), ready: Condvar::new(), capacity, batch }
    }

    /// Adds an item of so many spans, if there is space for all of them.
    pub(super) fn push(&self, item: T, spans: usize) -> Push {
        let mut state = self.state.lock();
        if state.is_closed || state.spans + spans > self.capacity {
            return Push::Dropped;
        }
        let was_complete = state.spans >= self.batch;
        state.items.push_back((item, spans));
        state.spans += spans;
        if !was_complete && state.spans >= self.batch {
            self.ready.notify_one();
        }
        Push::Queued
    }

    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.ready.notify_all();
    }

    /// The next batch: at once if it is complete or the queue is closed, else what is there after `delay`. An item with more spans
    /// than a batch may have is a batch of its own. `None` when the queue is closed and empty.
    pub(super) fn next(&self, delay: Duration) -> Option<Vec<T>> {
        let until = Instant::now() + delay;
        let mut state = self.state.lock();
        let is_waiting = |state: &mut State<T>| state.spans < self.batch && !state.is_closed;
        self.ready.wait_while_until(&mut state, is_waiting, until);
        if state.is_closed && state.items.is_empty() {
            return None;
        }
        let (mut taken, mut spans) = (Vec::new(), 0);
        while state.items.front().is_some_and(|(_, count)| taken.is_empty() || spans + count <= self.batch) {
            let Some((item, count)) = state.items.pop_front() else { break };
            taken.push(item);
            spans += count;
        }
        state.spans -= spans;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn a_full_queue_drops_and_a_closed_one_is_emptied() {
        let queue = Queue::new(3, 2);
        assert!((0..3).all(|item| queue.push(item, 1) == Push::Queued));
        assert_eq!(queue.push(3, 1), Push::Dropped);
        assert_eq!(queue.next(LONG), Some(vec![0, 1]));
        assert_eq!(queue.next(Duration::ZERO), Some(vec![2]));
        assert_eq!(queue.next(Duration::ZERO), Some(vec![]));
        assert_eq!(queue.push(4, 1), Push::Queued);
        queue.close();
        assert_eq!(queue.push(5, 1), Push::Dropped);
        assert_eq!(queue.next(LONG), Some(vec![4]));
        assert_eq!(queue.next(LONG), None);
    }

    #[test]
    fn spans_are_counted_and_not_items() {
        let queue = Queue::new(10, 4);
        assert_eq!(queue.push('a', 11), Push::Dropped);
        for (item, spans) in [('a', 1), ('b', 2), ('c', 6)] {
            assert_eq!(queue.push(item, spans), Push::Queued);
        }
        assert_eq!(queue.push('d', 2), Push::Dropped);
        assert_eq!(queue.push('d', 1), Push::Queued);
        assert_eq!(queue.next(LONG), Some(vec!['a', 'b']));
        assert_eq!(queue.next(LONG), Some(vec!['c']));
        assert_eq!(queue.push('e', 9), Push::Queued);
        assert_eq!(queue.next(LONG), Some(vec!['d']));
        assert_eq!(queue.next(LONG), Some(vec!['e']));
        assert_eq!(queue.push('f', 10), Push::Queued);
    }

    #[test]
    fn a_complete_batch_and_the_end_wake_the_reader() {
        let queue = Queue::new(10, 2);
        std::thread::scope(|scope| {
            let read = scope.spawn(|| [queue.next(LONG), queue.next(LONG)]);
            queue.push(0, 1);
            queue.push(1, 1);
            queue.close();
            assert_eq!(read.join().unwrap(), [Some(vec![0, 1]), None]);
        });
    }
}
