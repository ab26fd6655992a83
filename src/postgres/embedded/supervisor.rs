//! The thread that owns the server. It forks it, and stays until the server has ended, because the kernel sends the
//! parent-death signal when the forking thread ends. It starts a server that died again, with growing pauses.

use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::EmbeddedError;
use super::postmaster::{Launch, Postmaster};

/// The pause before a dead server is started again: at first, at most, and how long it must have run for the next
/// pause to be the first again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const STEADY_AFTER: Duration = Duration::from_secs(60);

/// The handle of the thread. Dropping it stops the server.
#[derive(Debug)]
pub(super) struct Supervisor {
    stop: Arc<StopRequest>,
    thread: Option<JoinHandle<Result<(), EmbeddedError>>>,
}

/// Set once, when the server is to be stopped.
#[derive(Debug, Default)]
pub(super) struct StopRequest {
    requested: Mutex<bool>,
    changed: Condvar,
}

/// The next pause before a start.
#[derive(Debug)]
struct Pauses {
    next: Duration,
}

impl Supervisor {
    /// Returns when the server accepts connections.
    pub(super) fn start(launch: Launch) -> Result<Supervisor, EmbeddedError> {
        let stop = Arc::new(StopRequest::default());
        let (sender, started) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("postgres".to_owned())
            .spawn({
                let stop = Arc::clone(&stop);
                move || supervise(&launch, &stop, &sender)
            })
            .map_err(|reason| EmbeddedError::Thread { reason })?;
        let mut supervisor = Supervisor { stop, thread: Some(thread) };
        match started.recv() {
            Ok(()) => Ok(supervisor),
            // Only a thread that gave up says nothing; its result tells why.
            Err(_) => supervisor.stop().map(|()| supervisor),
        }
    }

    /// Stops the server and waits for its end.
    pub(super) fn stop(&mut self) -> Result<(), EmbeddedError> {
        self.stop.request();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop.request();
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("{error}");
        }
    }
}

impl StopRequest {
    fn request(&self) {
        *self.requested.lock() = true;
        self.changed.notify_all();
    }

    pub(super) fn is_requested(&self) -> bool {
        *self.requested.lock()
    }

    /// Waits for a request, at most for `limit`; true when there is one.
    pub(super) fn wait(&self, limit: Duration) -> bool {
        let mut requested = self.requested.lock();
        self.changed.wait_while_for(&mut requested, |requested| !*requested, limit);
        *requested
    }
}

impl Pauses {
    fn after_running(&mut self, ran: Duration) -> Duration {
        if ran >= STEADY_AFTER {
            self.next = FIRST_PAUSE;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

fn supervise(launch: &Launch, stop: &StopRequest, started: &Sender<()>) -> Result<(), EmbeddedError> {
    let mut postmaster = launch.start(stop)?;
    // The receiver waits until it gets this.
    let _ = started.send(());
    let mut pauses = Pauses { next: FIRST_PAUSE };
    let mut since = Instant::now();
    while let Some(status) = postmaster.watch(stop) {
        report_end(&postmaster, status, launch);
        match start_again(launch, stop, &mut pauses, since.elapsed()) {
            Some(next) => postmaster = next,
            None => return Ok(()),
        }
        since = Instant::now();
    }
    postmaster.stop()
}

/// Tries until the server runs; `None` when a stop is requested meanwhile.
fn start_again<'launch>(
    launch: &'launch Launch,
    stop: &StopRequest,
    pauses: &mut Pauses,
    ran: Duration,
) -> Option<Postmaster<'launch>> {
    let mut ran = ran;
    loop {
        if stop.wait(pauses.after_running(ran)) {
            return None;
        }
        ran = Duration::ZERO;
        match launch.start(stop) {
            Ok(postmaster) => {
                tracing::info!("PostgreSQL runs again");
                return Some(postmaster);
            }
            Err(error) => tracing::error!("{error}"),
        }
    }
}

fn report_end(postmaster: &Postmaster<'_>, status: ExitStatus, launch: &Launch) {
    tracing::error!(
        "PostgreSQL ended unexpectedly ({status}) and is started again. Its log {} ends with:\n{}",
        launch.log_path().display(),
        postmaster.tail()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_half_a_minute_and_begin_anew_after_a_steady_run() {
        let mut pauses = Pauses { next: FIRST_PAUSE };
        let seconds: Vec<u64> = (0..7).map(|_| pauses.after_running(Duration::ZERO).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pauses.after_running(STEADY_AFTER), FIRST_PAUSE);
    }
}
