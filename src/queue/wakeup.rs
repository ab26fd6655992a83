//! Signals within a process: new jobs for workers, finished jobs for waiting requests. Both are hints; workers and
//! requests also poll.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::job::JobId;

/// Wakes workers that wait for a job, each queue for itself.
#[derive(Clone, Default)]
pub struct Wakeups {
    signals: Arc<Mutex<HashMap<String, Arc<Signal>>>>,
    /// Queues whose only worker in the installation is in this process.
    only_workers: Arc<Mutex<Vec<&'static str>>>,
}

/// The number of signals to a queue's workers.
#[derive(Default)]
struct Signal {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Signal {
    fn send(&self) {
        *self.count.lock() += 1;
        self.changed.notify_all();
    }
}

/// Held while a worker of this process is the queue's only worker in the installation.
pub(super) struct OnlyWorker {
    queue: &'static str,
    wakeups: Wakeups,
}

impl Drop for OnlyWorker {
    fn drop(&mut self) {
        let mut queues = self.wakeups.only_workers.lock();
        if let Some(place) = queues.iter().position(|queue| *queue == self.queue) {
            queues.swap_remove(place);
        }
    }
}

/// A point in time. Take it before looking for work, so that a signal between that and the wait is not lost.
#[derive(Clone)]
pub struct Ticket {
    signal: Arc<Signal>,
    count: u64,
}

impl Wakeups {
    /// Wakes the waiting workers of a queue, because a job was enqueued and committed.
    pub fn wake(&self, queue: &str) {
        // A queue without a signal has no worker that took a ticket.
        if let Some(signal) = self.signals.lock().get(queue) {
            signal.send();
        }
    }

    /// Wakes the waiting workers of all queues.
    pub fn wake_all(&self) {
        self.signals.lock().values().for_each(|signal| signal.send());
    }

    /// Whether a worker of this process is the queue's only worker in the installation. If so, other processes need no
    /// notification of a new job.
    pub fn has_only_worker(&self, queue: &str) -> bool {
        self.only_workers.lock().contains(&queue)
    }

    pub(super) fn set_only_worker(&self, queue: &'static str) -> OnlyWorker {
        self.only_workers.lock().push(queue);
        OnlyWorker { queue, wakeups: self.clone() }
    }

    pub fn ticket(&self, queue: &str) -> Ticket {
        let signal = Arc::clone(self.signals.lock().entry(queue.to_owned()).or_default());
        let count = *signal.count.lock();
        Ticket { signal, count }
    }

    /// Waits for a signal since the ticket was taken, but no longer than `at_most`.
    pub fn wait(&self, ticket: &Ticket, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut count = ticket.signal.count.lock();
        while *count == ticket.count && !ticket.signal.changed.wait_until(&mut count, until).timed_out() {}
    }
}

type Callback = Box<dyn FnOnce() + Send>;
type Watcher = Box<dyn Fn() + Send>;

/// Calls back when certain jobs are done.
#[derive(Clone, Default)]
pub struct Completions {
    waiting: Arc<Mutex<Waiting>>,
    watchers: Arc<Mutex<Vec<Watcher>>>,
}

#[derive(Default)]
struct Waiting {
    by_job: HashMap<JobId, Vec<(u64, Callback)>>,
    /// The number of the next registration.
    next: u64,
}

impl Completions {
    /// Calls `then` when the job is done. Register before the transaction that enqueues the job commits, or read
    /// the job's state once more afterwards, or the call may be missed. Dropping the registration cancels it.
    pub fn register(&self, job: JobId, then: impl FnOnce() + Send + 'static) -> Registration {
        let mut waiting = self.waiting.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.by_job.entry(job).or_default().push((number, Box::new(then)));
        Registration { job, number, completions: self.clone() }
    }

    /// Calls `then` after each commit that ends jobs of this process, and whenever another one notifies of ended jobs.
    pub fn watch(&self, then: impl Fn() + Send + 'static) {
        self.watchers.lock().push(Box::new(then));
    }

    /// Makes the calls of jobs that are done and committed.
    pub fn finished(&self, jobs: impl IntoIterator<Item = JobId>) {
        let callbacks: Vec<(u64, Callback)> = {
            let mut waiting = self.waiting.lock();
            jobs.into_iter().filter_map(|job| waiting.by_job.remove(&job)).flatten().collect()
        };
        callbacks.into_iter().for_each(|(_, callback)| callback());
        self.watchers.lock().iter().for_each(|watcher| watcher());
    }

    /// The number of jobs with a registration.
    pub fn awaited(&self) -> usize {
        self.waiting.lock().by_job.len()
    }
}

/// A wait for a job: that of the request that enqueued it, or of somebody who follows its progress.
pub struct Registration {
    job: JobId,
    number: u64,
    completions: Completions,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut waiting = self.completions.waiting.lock();
        if let Some(of_job) = waiting.by_job.get_mut(&self.job) {
            of_job.retain(|(number, _)| *number != self.number);
            if of_job.is_empty() {
                waiting.by_job.remove(&self.job);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_signal_between_the_look_and_the_wait_is_not_lost() {
        let wakeups = Wakeups::default();
        for wake in [|wakeups: &Wakeups| wakeups.wake("one"), Wakeups::wake_all] {
            let ticket = wakeups.ticket("one");
            wake(&wakeups);
            let before = Instant::now();
            wakeups.wait(&ticket, Duration::from_secs(60));
            assert!(before.elapsed() < Duration::from_secs(30));
        }
    }

    #[test]
    fn a_wait_without_a_signal_ends_and_the_signals_of_another_queue_do_not_count() {
        let wakeups = Wakeups::default();
        let ticket = wakeups.ticket("one");
        wakeups.wake("other");
        wakeups.ticket("other");
        wakeups.wake("other");
        let wait = Duration::from_millis(1);
        let before = Instant::now();
        wakeups.wait(&ticket, wait);
        assert!(before.elapsed() >= wait);
    }

    #[test]
    fn only_the_finished_jobs_callback_is_called_and_dropped_registrations_leave_nothing() {
        let completions = Completions::default();
        let (sender, finished) = mpsc::channel();
        let (one, two) = (sender.clone(), sender);
        let _first = completions.register(1, move || one.send(1).unwrap());
        let second = completions.register(2, move || two.send(2).unwrap());
        let (watcher, watched) = mpsc::channel();
        completions.watch(move || watcher.send(()).unwrap());
        completions.finished([1, 3]);
        assert_eq!((finished.try_recv(), watched.try_recv()), (Ok(1), Ok(())));
        drop(second);
        completions.finished([2]);
        assert!(finished.try_recv().is_err());
        assert_eq!(completions.awaited(), 0);
    }

    #[test]
    fn those_who_wait_for_the_same_job_do_not_cancel_each_other() {
        let completions = Completions::default();
        let (sender, finished) = mpsc::channel();
        let (one, two) = (sender.clone(), sender);
        let first = completions.register(1, move || one.send(1).unwrap());
        let _second = completions.register(1, move || two.send(2).unwrap());
        drop(first);
        completions.finished([1]);
        assert_eq!(finished.try_iter().collect::<Vec<_>>(), [2]);
        assert_eq!(completions.awaited(), 0);
    }
}
