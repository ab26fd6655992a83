//! One run of the server, from the start of its process to its end.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::account::Account;
use super::binaries::Binaries;
use super::error::EmbeddedError;
use super::pid_file::{PidFile, Status};
use super::server_log::ServerLog;
use super::stop_request::StopRequest;
use super::{child, deadline, predecessor, settings};

/// The time limit of a start, which includes the recovery from a crash.
const START_LIMIT: Duration = Duration::from_secs(300);
/// The time in which backends of a killed server have to finish their statements.
const ORPHANS_LIMIT: Duration = Duration::from_secs(60);
/// Part of PostgreSQL's message that such backends exist (`CreateLockFile` and `PGSharedMemoryCreate`).
const ORPHANS_MESSAGE: &str = "pre-existing shared memory block";
/// The time limits of a fast and of an immediate shutdown.
const FAST_LIMIT: Duration = Duration::from_secs(30);
const IMMEDIATE_LIMIT: Duration = Duration::from_secs(5);
/// The interval of the checks of the server, and of the attempts to start beside orphaned backends.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);

/// The settings with which the server is started and restarted.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) binaries: Binaries,
    pub(super) account: Option<Account>,
    pub(super) cluster: PathBuf,
    pub(super) log: ServerLog,
    pub(super) throwaway: bool,
}

/// A server process, a child of this one. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Postmaster<'launch> {
    launch: &'launch Launch,
    child: Child,
    log_begins_at: u64,
}

impl Launch {
    /// Starts the server and waits until it accepts connections or a stop is requested.
    pub(super) fn start(&self, stop: &StopRequest) -> Result<Postmaster<'_>, EmbeddedError> {
        let begun = Instant::now();
        loop {
            predecessor::remove(&self.cluster)?;
            let mut postmaster = self.spawn()?;
            match postmaster.wait_until_ready(stop) {
                Ok(()) => return Ok(postmaster),
                Err(EmbeddedError::Exited { tail, .. })
                    if tail.contains(ORPHANS_MESSAGE)
                        && begun.elapsed() < ORPHANS_LIMIT
                        && !stop.wait(WATCH_INTERVAL) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn spawn(&self) -> Result<Postmaster<'_>, EmbeddedError> {
        let program = self.binaries.postgres();
        let log = self.log.open()?;
        let output =
            || log.file.try_clone().map_err(|reason| EmbeddedError::directory("write", self.log.path(), reason));
        let child = child::command(&program, self.account.as_ref(), Signal::SIGINT)
            .arg("-D")
            .arg(&self.cluster)
            .args(settings::arguments(self.throwaway))
            .stdout(output()?)
            .stderr(output()?)
            .process_group(0)
            .spawn()
            .map_err(|error| EmbeddedError::Program { program: program.clone(), problem: error.to_string() })?;
        Ok(Postmaster { launch: self, child, log_begins_at: log.begins_at })
    }

    pub(super) fn log_path(&self) -> &Path {
        self.log.path()
    }
}

impl Postmaster<'_> {
    /// Waits for the server's end or for a stop request; `None` for the request.
    pub(super) fn watch(&mut self, stop: &StopRequest) -> Option<ExitStatus> {
        while !stop.wait(WATCH_INTERVAL) {
            if let Some(status) = self.exit_status() {
                return Some(status);
            }
        }
        None
    }

    /// The last lines that the server logged.
    pub(super) fn tail(&self) -> String {
        self.launch.log.tail(self.log_begins_at)
    }

    /// Shuts the server down, and kills it when that takes too long.
    pub(super) fn stop(mut self) -> Result<(), EmbeddedError> {
        if self.end() {
            return Ok(());
        }
        Err(EmbeddedError::StoppedByForce {
            seconds: FAST_LIMIT.as_secs(),
            log: self.launch.log_path().to_owned(),
            tail: self.tail(),
        })
    }

    fn wait_until_ready(&mut self, stop: &StopRequest) -> Result<(), EmbeddedError> {
        let pid = self.pid();
        let outcome = deadline::until(START_LIMIT, || {
            if let Some(status) = self.exit_status() {
                let (log, tail) = (self.launch.log_path().to_owned(), self.tail());
                let exited = EmbeddedError::Exited { status, log, tail: tail.clone() };
                return Some(Err(exited.or_disk_full(&self.launch.cluster, &tail)));
            }
            if stop.is_requested() {
                return Some(Ok(()));
            }
            match PidFile::of_postmaster(&self.launch.cluster) {
                Ok(Some(file)) if file.pid == pid && file.status == Status::Ready => Some(Ok(())),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            }
        });
        outcome.unwrap_or_else(|| {
            Err(EmbeddedError::StartTimedOut {
                seconds: START_LIMIT.as_secs(),
                log: self.launch.log_path().to_owned(),
                tail: self.tail(),
            })
        })
    }

    /// Ends the server; false when a fast shutdown was not enough.
    fn end(&mut self) -> bool {
        for (signal, patience) in [(Signal::SIGINT, FAST_LIMIT), (Signal::SIGQUIT, IMMEDIATE_LIMIT)] {
            if self.exit_status().is_none() {
                // The child is not reaped yet, so the number is still its own.
                let _ = kill(self.pid(), signal);
            }
            if deadline::until(patience, || self.exit_status()).is_some() {
                return signal == Signal::SIGINT;
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        false
    }

    /// The status of the server if it has ended. An error means that the child was reaped elsewhere, so it has ended
    /// too, and the kernel keeps no status.
    fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_else(|_| Some(ExitStatus::default()))
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Postmaster<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
