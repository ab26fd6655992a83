//! Who to wake. Both kinds of signal are hints within one process; whoever waits also looks for itself from time to
//! time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::JobId;

/// Wakes workers that wait for a job.
#[derive(Clone, Default)]
pub struct Wakeups {
    shared: Arc<(Mutex<u64>, Condvar)>,
    attended: Arc<Mutex<Vec<&'static str>>>,
}

/// A worker of this process takes the jobs of a queue, and nobody else does.
pub(super) struct Attendance {
    queue: &'static str,
    wakeups: Wakeups,
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let mut attended = self.wakeups.attended.lock();
        if let Some(place) = attended.iter().position(|queue| *queue == self.queue) {
            attended.swap_remove(place);
        }
    }
}

/// A moment. Taken before looking for work, so that a signal between the look and the wait is not lost.
#[derive(Clone, Copy)]
pub struct Ticket(u64);

impl Wakeups {
    /// Something was enqueued, or should be looked at for another reason.
    pub fn wake(&self) {
        *self.shared.0.lock() += 1;
        self.shared.1.notify_all();
    }

    /// Whether a worker of this process has the queue for itself: then nobody else needs to be told of a job.
    pub fn is_attended(&self, queue: &str) -> bool {
        self.attended.lock().contains(&queue)
    }

    pub(super) fn attend(&self, queue: &'static str) -> Attendance {
        self.attended.lock().push(queue);
        Attendance { queue, wakeups: self.clone() }
    }

    pub fn ticket(&self) -> Ticket {
        Ticket(*self.shared.0.lock())
    }

    /// Returns when there was a signal after the ticket was taken, or when the time is over.
    pub fn wait(&self, ticket: Ticket, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut signals = self.shared.0.lock();
        while *signals == ticket.0 && !self.shared.1.wait_until(&mut signals, until).timed_out() {}
    }
}

type Told = Box<dyn FnOnce() + Send>;

/// Tells those who wait for a certain job that it is done.
#[derive(Clone, Default)]
pub struct Completions {
    waiting: Arc<Mutex<HashMap<JobId, Vec<Told>>>>,
}

impl Completions {
    /// Calls `then` when the job is done. To miss nothing, register before the transaction that enqueues it commits.
    /// Dropping the registration forgets it.
    pub fn register(&self, job: JobId, then: impl FnOnce() + Send + 'static) -> Registration {
        self.waiting.lock().entry(job).or_default().push(Box::new(then));
        Registration { job, completions: self.clone() }
    }

    /// The jobs are done and their effects are committed.
    pub fn finished(&self, jobs: impl IntoIterator<Item = JobId>) {
        let told: Vec<Told> = {
            let mut waiting = self.waiting.lock();
            jobs.into_iter().filter_map(|job| waiting.remove(&job)).flatten().collect()
        };
        told.into_iter().for_each(|tell| tell());
    }

    /// How many jobs somebody waits for.
    pub fn awaited(&self) -> usize {
        self.waiting.lock().len()
    }
}

/// Somebody waits for a job. A job has one waiter in practice: the request that enqueued it.
pub struct Registration {
    job: JobId,
    completions: Completions,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.completions.waiting.lock().remove(&self.job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_signal_between_the_look_and_the_wait_is_not_lost() {
        let wakeups = Wakeups::default();
        let ticket = wakeups.ticket();
        wakeups.wake();
        let before = Instant::now();
        wakeups.wait(ticket, Duration::from_secs(60));
        assert!(before.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_wait_without_a_signal_ends() {
        let wakeups = Wakeups::default();
        wakeups.wait(wakeups.ticket(), Duration::from_millis(1));
    }

    #[test]
    fn only_the_waiter_of_the_finished_job_is_told_and_forgotten_ones_leave_nothing() {
        let completions = Completions::default();
        let (told, heard) = mpsc::channel();
        let (one, two) = (told.clone(), told);
        let _first = completions.register(1, move || one.send(1).unwrap());
        let second = completions.register(2, move || two.send(2).unwrap());
        completions.finished([1, 3]);
        assert_eq!(heard.try_recv(), Ok(1));
        drop(second);
        completions.finished([2]);
        assert!(heard.try_recv().is_err());
        assert_eq!(completions.awaited(), 0);
    }
}
