//! SIGTERM and SIGINT, and SIGHUP where it means to read files again. They are blocked in every thread and waited for by one, so that no code runs in a handler.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigSet, Signal};

use crate::process::CommandError;

/// Exit status of a process that was told to leave at once: as if the signal had ended it.
const LEFT_AT_ONCE: i32 = 128 + Signal::SIGTERM as i32;

/// The signals that end the program, blocked.
pub struct Signals(SigSet);

impl Signals {
    /// To be called before any thread is started: threads inherit what is blocked. So do child processes, which matters
    /// for those that are not ours to wait for: see `unblocked`.
    pub fn block() -> Result<Self, CommandError> {
        let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
        signals.thread_block()?;
        Ok(Self(signals))
    }

    /// SIGHUP too: it no longer ends the program, and `wait` answers it.
    pub fn with_hangup(mut self) -> Result<Self, CommandError> {
        self.0.add(Signal::SIGHUP);
        self.0.thread_block()?;
        Ok(self)
    }

    /// Gives a child process the signals back. Our own children either block them as well (`serve`), set them as they need
    /// (PostgreSQL) or are ended by SIGKILL (git).
    #[allow(unsafe_code)]
    pub fn unblocked(command: &mut Command) {
        // Safety: the closure makes one system call and allocates nothing, which is what is allowed between fork and exec.
        unsafe {
            command
                .pre_exec(|| SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]).thread_unblock().map_err(Into::into));
        }
    }

    /// Waits for the next one.
    pub fn wait(&self) -> Result<Signal, CommandError> {
        Ok(self.0.wait()?)
    }

    /// From now on a signal ends the process at once. Nothing is lost by that: what was answered is on the disk, and what
    /// was begun is begun again.
    pub fn leave_at_the_next(self) -> Result<(), CommandError> {
        std::thread::Builder::new().name("second-signal".to_owned()).spawn(move || {
            while let Ok(signal) = self.wait() {
                if signal == Signal::SIGHUP {
                    continue;
                }
                eprintln!("supercargo: leaving at once");
                std::process::exit(LEFT_AT_ONCE);
            }
        })?;
        Ok(())
    }
}
