//! Child processes that are killed when this process ends.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

/// Makes the kernel send `signal` to the child when the thread that spawns it ends. A child whose parent ended before
/// the signal was set does not start, because nothing would end it.
///
/// A change of user clears the signal; `Command` changes the user before it calls this.
pub(crate) fn die_with_this_process(command: &mut Command, signal: Signal) {
    die_with(command, getpid(), signal);
}

#[expect(unsafe_code, reason = "sets the parent-death signal between fork and exec")]
fn die_with(command: &mut Command, parent: Pid, signal: Signal) {
    // SAFETY: between fork and exec the closure only makes the system calls prctl and getppid and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            set_pdeathsig(signal)?;
            if getppid() == parent { Ok(()) } else { Err(Errno::ESRCH.into()) }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_whose_parent_is_gone_does_not_start() {
        let mut command = Command::new("true");
        // The situation of a killed process's child: its parent is another process.
        die_with(&mut command, Pid::from_raw(getpid().as_raw() + 1), Signal::SIGKILL);
        assert_eq!(command.spawn().unwrap_err().raw_os_error(), Some(Errno::ESRCH as i32));
        let mut command = Command::new("true");
        die_with_this_process(&mut command, Signal::SIGKILL);
        assert!(command.status().unwrap().success());
    }
}
