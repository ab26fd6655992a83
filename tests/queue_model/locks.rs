//! Locks that the kernel releases with the process: one byte of a file for each job, locked by the thread that runs it.
//!
//! They are locks of open file descriptions, so that threads of one process exclude each other too. A process that is
//! killed must lose them before its database sessions end, or the next worker would find the lock of the dead one.
//! Linux closes the files of a dead process from the highest descriptor down, and so the locks' descriptors are put
//! above all others.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// Above every socket of a worker.
const HIGH: i32 = 512;

thread_local! {
    static FILE: RefCell<Option<Arc<OwnedFd>>> = const { RefCell::new(None) };
}

/// Opens the file for this thread.
#[expect(unsafe_code, reason = "takes ownership of a new descriptor")]
pub fn open(directory: &Path) -> std::io::Result<()> {
    let file: File =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(directory.join("locks"))?;
    let high = fcntl(file.as_fd(), FcntlArg::F_DUPFD_CLOEXEC(HIGH))?;
    // SAFETY: `fcntl` has just made it, and no other owner has it.
    let high = unsafe { OwnedFd::from_raw_fd(high) };
    FILE.with(|file| file.replace(Some(Arc::new(high))));
    Ok(())
}

/// The lock of a job, released when dropped.
pub struct Held {
    file: Arc<OwnedFd>,
    job: i64,
}

/// Takes the lock of a job; None if another thread has it.
pub fn try_hold(job: i64) -> Option<Held> {
    let file = FILE.with(|file| file.borrow().clone()).expect("this thread has opened the file");
    set(&file, job, libc::F_WRLCK).ok().map(|()| Held { file, job })
}

impl Drop for Held {
    fn drop(&mut self) {
        set(&self.file, self.job, libc::F_UNLCK).unwrap();
    }
}

fn set(file: &OwnedFd, job: i64, kind: i32) -> nix::Result<()> {
    let lock = libc::flock {
        l_type: i16::try_from(kind).expect("a lock type is small"),
        l_whence: i16::try_from(libc::SEEK_SET).expect("a place is small"),
        l_start: job,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).map(drop)
}
