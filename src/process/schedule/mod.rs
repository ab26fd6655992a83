//! Work at intervals on threads of their own.

pub mod advisories;
pub mod analysing;
pub mod bitmaps;
pub mod describing;
pub mod exporting;
pub mod release_sets;
pub mod tidying;
pub mod verifying;
pub mod webhooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::process::CommandError;

/// A thread that repeats a task until it is stopped.
pub struct Scheduled {
    /// Ends the wait between two runs.
    wake: mpsc::SyncSender<()>,
    stopped: Stopped,
    thread: JoinHandle<()>,
}

/// Whether the schedule was stopped. A task checks this while it runs.
#[derive(Clone, Default)]
pub struct Stopped(Arc<AtomicBool>);

impl Stopped {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// When a task runs.
#[derive(Clone, Copy, Debug)]
pub struct Intervals {
    /// Time from the start of the process to the first run.
    pub first: Duration,
    /// Time from the end of a run to the next one.
    pub then: Duration,
}

impl Scheduled {
    /// Starts a thread of this name. A failed run is logged as a failure to `purpose` and repeated at the next interval.
    pub fn start(
        name: &str,
        purpose: &'static str,
        intervals: Intervals,
        mut task: impl FnMut(&Stopped) -> Result<(), CommandError> + Send + 'static,
    ) -> Result<Self, CommandError> {
        let stopped = Stopped::default();
        let (wake, waiting) = mpsc::sync_channel::<()>(1);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn({
            let stopped = stopped.clone();
            move || {
                let mut wait = intervals.first;
                while waiting.recv_timeout(wait) != Err(RecvTimeoutError::Disconnected) && !stopped.is_set() {
                    wait = intervals.then;
                    if let Err(error) = task(&stopped) {
                        tracing::warn!(%error, "cannot {purpose}; next attempt in {wait:?}");
                    }
                }
            }
        })?;
        Ok(Self { wake, stopped, thread })
    }

    /// Starts the next run at once, or once more after the current one.
    pub fn waker(&self) -> impl Fn() + Send + use<> {
        let wake = self.wake.clone();
        // The channel is full if a run is requested already.
        move || {
            let _ = wake.try_send(());
        }
    }

    /// Ends the task where it can be resumed, and waits for that.
    pub fn stop(self) {
        self.stopped.0.store(true, Ordering::Relaxed);
        self.waker()();
        drop(self.wake);
        // The panic hook has logged a panic of the thread.
        let _ = self.thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_up_ends_the_wait_and_one_during_a_run_is_not_lost() {
        let (started, runs) = mpsc::channel();
        let (go_on, waiting) = mpsc::channel::<()>();
        let intervals = Intervals { first: Duration::MAX, then: Duration::MAX };
        let scheduled = Scheduled::start("test", "pass the test", intervals, move |_| {
            started.send(())?;
            Ok(waiting.recv()?)
        })
        .unwrap();
        let wake = scheduled.waker();
        wake();
        runs.recv().unwrap();
        wake();
        go_on.send(()).unwrap();
        runs.recv().unwrap();
        go_on.send(()).unwrap();
        scheduled.stop();
        assert!(runs.recv().is_err());
    }

    #[test]
    fn a_task_is_repeated_after_a_failure_and_a_stop_reaches_a_run() {
        let (started, runs) = mpsc::channel();
        let mut run = 0;
        let intervals = Intervals { first: Duration::ZERO, then: Duration::ZERO };
        let scheduled = Scheduled::start("test", "pass the test", intervals, move |stopped| {
            run += 1;
            started.send(run)?;
            if run == 1 {
                return Err(CommandError::new("the first run fails"));
            }
            while !stopped.is_set() {
                std::thread::yield_now();
            }
            Ok(())
        })
        .unwrap();
        assert_eq!([runs.recv(), runs.recv()], [Ok(1), Ok(2)]);
        scheduled.stop();
        assert!(runs.recv().is_err());
    }
}
