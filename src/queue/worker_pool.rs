//! The worker threads of a process and their count.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::measures;
use super::slot::{Overdue, Slot};
use super::workers_view::QueueWorkers;

/// Threads of one queue that may hang before their places stay empty until one of them ends, or for `hung_pause`. Without
/// the limit, a job that hangs each time would use up the process's threads.
const MAX_HUNG: usize = 4;

#[derive(Default)]
pub(super) struct WorkerPool {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    members: Vec<Member>,
    /// The queues of threads that were cut off and have not ended.
    hung: Vec<&'static str>,
    /// The queues of empty places, and since when they are empty.
    missing: Vec<(&'static str, Instant)>,
    /// Threads that record a cut-off or sweep.
    helpers: usize,
    stopping: bool,
}

struct Member {
    queue: &'static str,
    slot: Arc<Slot>,
}

/// What the watch must do now.
pub(super) struct Watched {
    /// Threads that were just cut off, by queue. The pool has counted a helper for each.
    pub overdue: Vec<(&'static str, Overdue)>,
    /// The queues that need another worker.
    pub missing: Vec<&'static str>,
}

impl WorkerPool {
    pub(super) fn is_stopping(&self) -> bool {
        self.state.lock().stopping
    }

    pub(super) fn stop(&self) {
        self.state.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Waits until all threads have ended. Workers are cut off at their time limits; helpers, which may wait for a database
    /// that does not answer, are waited for no longer than `patience`.
    pub(super) fn wait_for_all(&self, patience: Duration) {
        let mut state = self.state.lock();
        while !state.members.is_empty() {
            self.changed.wait(&mut state);
        }
        let until = Instant::now() + patience;
        while state.helpers > 0 && !self.changed.wait_until(&mut state, until).timed_out() {}
    }

    /// Waits for the given time or until the pool stops; true if it stops.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        let mut state = self.state.lock();
        while !state.stopping && !self.changed.wait_until(&mut state, until).timed_out() {}
        state.stopping
    }

    /// The workers of a queue.
    pub(super) fn count(&self, queue: &'static str) -> QueueWorkers {
        let state = self.state.lock();
        let members = || state.members.iter().filter(|member| member.queue == queue);
        QueueWorkers {
            queue,
            threads: members().count(),
            connected: members().filter(|member| member.slot.session.load(Ordering::SeqCst) != 0).count(),
            hung: state.hung_in(queue),
        }
    }

    pub(super) fn join(&self, queue: &'static str, slot: &Arc<Slot>) {
        self.state.lock().members.push(Member { queue, slot: Arc::clone(slot) });
    }

    /// Removes a thread that has ended, for whatever reason.
    pub(super) fn leave(&self, queue: &'static str, slot: &Arc<Slot>) {
        let mut state = self.state.lock();
        let before = state.members.len();
        state.members.retain(|member| !Arc::ptr_eq(&member.slot, slot));
        if state.members.len() == before {
            // It had been cut off.
            if let Some(place) = state.hung.iter().position(|hung| *hung == queue) {
                state.hung.swap_remove(place);
            }
            measures::hung(queue, state.hung_in(queue));
        } else if !state.stopping {
            state.missing.push((queue, Instant::now()));
        }
        self.changed.notify_all();
    }

    pub(super) fn add_helper(&self) {
        self.state.lock().helpers += 1;
    }

    pub(super) fn remove_helper(&self) {
        self.state.lock().helpers -= 1;
        self.changed.notify_all();
    }

    /// Waits for a change, but no longer than `watch_every`, and cuts off the threads that are overdue. None when the pool
    /// has stopped and all workers have ended.
    pub(super) fn watch(
        &self,
        watch_every: Duration,
        database_timeout: Duration,
        hung_pause: Duration,
    ) -> Option<Watched> {
        let watched = {
            let mut state = self.state.lock();
            if state.stopping && state.members.is_empty() {
                return None;
            }
            self.changed.wait_for(&mut state, watch_every);
            let overdue = state.cut_off_overdue(database_timeout);
            Watched { overdue, missing: state.take_missing(hung_pause) }
        };
        self.changed.notify_all();
        Some(watched)
    }
}

impl State {
    fn hung_in(&self, queue: &str) -> usize {
        self.hung.iter().filter(|hung| **hung == queue).count()
    }

    /// Removes the threads that are over their limits from the pool.
    fn cut_off_overdue(&mut self, database_timeout: Duration) -> Vec<(&'static str, Overdue)> {
        let mut overdue = Vec::new();
        self.members.retain(|member| match member.slot.cut_off_if_overdue(database_timeout) {
            None => true,
            Some(over) => {
                overdue.push((member.queue, over));
                false
            }
        });
        // Counted before anyone sees that the worker is gone: stopping waits for the record.
        self.helpers += overdue.len();
        for (queue, _) in &overdue {
            self.hung.push(queue);
            self.missing.push((queue, Instant::now()));
            measures::hung(queue, self.hung_in(queue));
        }
        overdue
    }

    /// The queues whose empty places must be filled now.
    fn take_missing(&mut self, hung_pause: Duration) -> Vec<&'static str> {
        let missing = std::mem::take(&mut self.missing);
        if self.stopping {
            return Vec::new();
        }
        let (fill, keep): (Vec<_>, Vec<_>) = missing
            .into_iter()
            .partition(|(queue, since)| self.hung_in(queue) <= MAX_HUNG || since.elapsed() >= hung_pause);
        self.missing = keep;
        fill.into_iter().map(|(queue, _)| queue).collect()
    }
}
