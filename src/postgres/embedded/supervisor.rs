//! The thread that owns the server. It forks the server and lives until the server has ended, because the kernel sends
//! the parent-death signal when the forking thread ends. It restarts a server that exits unexpectedly, with growing
//! pauses.

use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::error::EmbeddedError;
use super::postmaster::{Launch, Postmaster};
use super::stop_request::StopRequest;
use crate::full_disk::{self, FullDisk};

/// The pause before a restart: the first, the longest, and the uptime after which the next pause is the first again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const STEADY_AFTER: Duration = Duration::from_secs(60);

/// A handle to the thread. Dropping it stops the server.
#[derive(Debug)]
pub(super) struct Supervisor {
    stop: Arc<StopRequest>,
    thread: Option<JoinHandle<Result<(), EmbeddedError>>>,
}

/// The pauses before restarts.
#[derive(Debug)]
struct Pauses {
    next: Duration,
}

impl Supervisor {
    /// Starts the thread and waits until the server accepts connections.
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
            // The thread ended without sending; its result is the error.
            Err(_) => supervisor.stop().map(|()| supervisor),
        }
    }

    /// Requests a stop and waits for the server's end.
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
    // It fails only if the receiver is gone.
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

/// Retries until the server runs; `None` when a stop is requested.
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
                tracing::info!("PostgreSQL is running again");
                return Some(postmaster);
            }
            Err(error) => tracing::error!("{error}"),
        }
    }
}

fn report_end(postmaster: &Postmaster<'_>, status: ExitStatus, launch: &Launch) {
    if full_disk::is_named_in(&postmaster.tail()) {
        FullDisk::of(&launch.cluster).report(&"PostgreSQL cannot write and exited");
    }
    tracing::error!(
        "PostgreSQL exited unexpectedly ({status}) and is restarted. The end of its log {}:\n{}",
        launch.log_path().display(),
        postmaster.tail()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_half_a_minute_and_restart_after_a_long_uptime() {
        let mut pauses = Pauses { next: FIRST_PAUSE };
        let seconds: Vec<u64> = (0..7).map(|_| pauses.after_running(Duration::ZERO).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pauses.after_running(STEADY_AFTER), FIRST_PAUSE);
    }
}
