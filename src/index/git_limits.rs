//! Resource limits of git processes.
//!
//! The kernel limits the memory, processor time and file size of a process that serves a client. It also has a lower
//! priority than the registry, leaves no core dump, and is killed when the thread that started it ends.
//!
//! `RLIMIT_DATA` is the tight one: it counts allocations and not the packs that the process maps, whose pages the
//! machine can reclaim. `RLIMIT_AS` bounds both. Measured with the settings of [`super::serving`] on 200,000 crates
//! with 20,000 commits (450,000 objects, 55 MiB): a full clone allocates 170 MiB and has an address space of 260 MiB.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;

use crate::subprocess;

/// The limits of one process. Each of its children has the same limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GitLimits {
    /// Allocated memory, in bytes.
    pub data: Option<u64>,
    /// Address space, in bytes.
    pub address_space: Option<u64>,
    /// Processor time, in seconds.
    pub processor_seconds: Option<u64>,
    /// The size of a file that it writes, in bytes.
    pub file_size: Option<u64>,
    /// The nice value; 19 is the lowest priority.
    pub niceness: i32,
}

impl GitLimits {
    /// For work on the registry's own data: lower priority, no limits.
    pub(super) const BACKGROUND: GitLimits =
        GitLimits { data: None, address_space: None, processor_seconds: None, file_size: None, niceness: 5 };

    /// For work that may take as long as it needs.
    pub(super) const IDLE: GitLimits = GitLimits { niceness: 19, ..GitLimits::BACKGROUND };

    /// For work on data of another host. Packs go to the disk, so only memory is limited; 4 GiB is enough for objects
    /// of any size that an index has.
    pub(super) const REMOTE: GitLimits = GitLimits { data: Some(4 << 30), niceness: 0, ..GitLimits::BACKGROUND };

    /// Applies the limits to a command. `dies` decides whether it is killed when the thread that started it ends.
    #[expect(unsafe_code, reason = "sets limits between fork and exec")]
    pub(super) fn apply(self, command: &mut Command, dies: Dies) {
        if dies == Dies::WithItsStarter {
            subprocess::die_with_this_process(command, Signal::SIGKILL);
        }
        // SAFETY: between fork and exec, the closure only makes system calls and allocates nothing.
        unsafe {
            command.pre_exec(move || self.set());
        }
    }

    /// Applies the limits to the current process.
    #[expect(unsafe_code, reason = "calls setpriority, which takes numbers only")]
    fn set(self) -> io::Result<()> {
        for (resource, limit) in [
            (Resource::RLIMIT_CORE, Some(0)),
            (Resource::RLIMIT_DATA, self.data),
            (Resource::RLIMIT_AS, self.address_space),
            (Resource::RLIMIT_CPU, self.processor_seconds),
            (Resource::RLIMIT_FSIZE, self.file_size),
        ] {
            let Some(limit) = limit else { continue };
            match setrlimit(resource, limit, limit) {
                Ok(()) => {}
                // A lower hard limit is set already, which is as good.
                Err(Errno::EPERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // SAFETY: a system call without pointers. It fails only if the priority is lower already.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, self.niceness) };
        Ok(())
    }
}

/// What happens to a process when the thread that started it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dies {
    /// It is killed.
    WithItsStarter,
    /// It finishes its work and holds its lock until then.
    Later,
}
