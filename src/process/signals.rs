//! SIGTERM and SIGINT, and SIGHUP where it reloads files. All threads block them and one waits for them, so no code runs in a
//! signal handler.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use crate::process::CommandError;

/// Exit status after a second signal, the same as if SIGTERM had ended the process.
const ENDED_BY_SIGNAL: i32 = 128 + Signal::SIGTERM as i32;

/// The blocked signals.
pub struct Signals(SigSet);

/// Starts threads that get no signals, before it is known whether the command waits for them. A thread that did not block
/// them would end the process with the first one.
pub fn kept_from_threads<T>(start: impl FnOnce() -> T) -> T {
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let started = start();
    if let Ok(before) = before {
        // It was the mask a moment ago.
        let _ = before.thread_set_mask();
    }
    started
}

impl Signals {
    /// Called before any thread is started, because threads inherit the signal mask. Child processes inherit it too: see
    /// `unblocked`.
    pub fn block() -> Result<Self, CommandError> {
        let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
        signals.thread_block()?;
        Ok(Self(signals))
    }

    /// Blocks SIGHUP too; `wait` then returns it.
    pub fn with_hangup(mut self) -> Result<Self, CommandError> {
        self.0.add(Signal::SIGHUP);
        self.0.thread_block()?;
        Ok(self)
    }

    /// Unblocks the signals in a child process. The other children block them too (`serve`), set their own mask
    /// (PostgreSQL) or are ended by SIGKILL (git).
    #[expect(unsafe_code, reason = "unblocks signals between fork and exec")]
    pub fn unblocked(command: &mut Command) {
        // SAFETY: between fork and exec the closure makes one system call and does not allocate.
        unsafe {
            command
                .pre_exec(|| SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]).thread_unblock().map_err(Into::into));
        }
    }

    /// Waits for the next signal.
    pub fn wait(&self) -> Result<Signal, CommandError> {
        Ok(self.0.wait()?)
    }

    /// Makes the next signal end the process at once. Answered requests are on disk by then, and interrupted jobs run
    /// again.
    pub fn exit_at_the_next(self) -> Result<(), CommandError> {
        std::thread::Builder::new().name("second-signal".to_owned()).spawn(move || {
            while let Ok(signal) = self.wait() {
                if signal == Signal::SIGHUP {
                    continue;
                }
                eprintln!("supercargo: exiting now");
                std::process::exit(ENDED_BY_SIGNAL);
            }
        })?;
        Ok(())
    }
}
