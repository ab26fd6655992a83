//! What a git process may take from the machine.
//!
//! A process that works on a stranger's request gets limits of memory, processor time and file size from the kernel, gives
//! way to the registry, leaves no core dump, and dies with the thread that started it.
//!
//! `RLIMIT_DATA` is the tight one: it counts what a process allocates, and not the packs that it maps, whose pages the
//! machine can take back. `RLIMIT_AS` bounds both. Measured with [`super::serving`]'s settings on 200,000 crates with 20,000
//! commits (450,000 objects, 55 MiB): a full clone allocates 170 MiB, and has an address space of 260 MiB.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;

use crate::subprocess;

/// Limits of one process; those that it starts have the same, each for itself.
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
    /// How far it gives way to other processes: 19 is the most.
    pub niceness: i32,
}

impl GitLimits {
    /// For work on what the registry itself has written: no limit, but lower priority.
    pub(super) const BACKGROUND: GitLimits =
        GitLimits { data: None, address_space: None, processor_seconds: None, file_size: None, niceness: 5 };

    /// For work on what another host sends. Its packs go to disk, so only the memory has a limit: 4 GiB unpack objects of
    /// every size that an index has.
    pub(super) const REMOTE: GitLimits = GitLimits { data: Some(4 << 30), niceness: 0, ..GitLimits::BACKGROUND };

    /// Makes a command start with these limits, and die with the thread that starts it if `dies` says so.
    pub(super) fn apply(self, command: &mut Command, dies: Dies) {
        if dies == Dies::WithItsStarter {
            subprocess::die_with_this_process(command, Signal::SIGKILL);
        }
        // SAFETY: the closure makes system calls alone and allocates nothing, which is what is allowed between fork and
        // exec.
        unsafe {
            command.pre_exec(move || self.set());
        }
    }

    /// In the process itself.
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
                // A lower hard limit is set already, which holds as well.
                Err(Errno::EPERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // SAFETY: a system call without pointers. It can only fail where the priority is lower already.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, self.niceness) };
        Ok(())
    }
}

/// What becomes of a process whose starter dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dies {
    /// It is killed.
    WithItsStarter,
    /// It ends its work, and holds a lock until then.
    Later,
}
