//! Full disks: which error has one behind it, which directory is full, and the operator's line about it.
//!
//! Some errors name the cause, in the system's words. Others do not: a PostgreSQL that cannot write its log ends, and all
//! that the registry sees is a closed connection. So the directories that this process and its database write to are
//! examined as well when something fails.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;
use parking_lot::Mutex;

/// How the system, PostgreSQL and git say that a disk or a quota is full. The last one is PostgreSQL's for a file that
/// could be extended by a part only.
const SIGNS: [&str; 3] = ["No space left on device", "Disk quota exceeded", ": wrote only "];

/// With less than this, in bytes, a directory counts as full: PostgreSQL allocates its log in pieces of this size.
const LEAST: u64 = 16 << 20;

/// The directories that are examined.
static WATCHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
/// Whether they are being examined.
static LOOKING: AtomicBool = AtomicBool::new(false);
/// The one that was full the last time.
static FOUND: Mutex<Option<PathBuf>> = Mutex::new(None);
/// How long the examination may take. A disk that hangs must not hang the threads that report errors.
const PATIENCE: Duration = Duration::from_millis(200);
/// When the last line about each directory was logged.
static LOGGED: Mutex<Vec<(Option<PathBuf>, Instant)>> = Mutex::new(Vec::new());
/// The time between two lines about the same directory.
const INTERVAL: Duration = Duration::from_secs(60);

/// The space of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    /// Without what is reserved for root.
    pub available: u64,
    /// Whether another file can be created.
    pub has_inodes: bool,
}

impl Space {
    /// The space of the file system that holds this directory; `None` if it cannot be examined.
    pub fn of(directory: &Path) -> Option<Self> {
        let found = statvfs(directory).ok()?;
        let unit = found.fragment_size();
        Some(Self {
            total: found.blocks() * unit,
            available: found.blocks_available() * unit,
            // Some file systems do not count inodes and report 0 of them.
            has_inodes: found.files() == 0 || found.files_available() > 0,
        })
    }

    /// Whether there is no space for more.
    pub fn is_full(self) -> bool {
        self.available < LEAST.min(self.total / 10) || !self.has_inodes
    }
}

/// Examines this directory when something fails.
pub fn watch(directory: &Path) {
    let mut watched = WATCHED.lock();
    if !watched.iter().any(|known| known == directory) {
        watched.push(directory.to_owned());
    }
}

/// Whether a text of the system, PostgreSQL or git says that a disk is full.
pub fn is_named_in(text: &str) -> bool {
    SIGNS.iter().any(|sign| text.contains(sign))
}

/// A full disk behind an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullDisk {
    /// `None` if it is none of the watched ones, such as that of an external database.
    directory: Option<PathBuf>,
}

impl FullDisk {
    pub fn of(directory: &Path) -> Self {
        Self { directory: Some(directory.to_owned()) }
    }

    /// The full disk that this failure of storage names, or that there is while it happens.
    pub fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let named =
            std::iter::successors(Some(error), |&error| error.source()).any(|one| is_named_in(&one.to_string()));
        let directory = Self::look();
        (named || directory.is_some()).then_some(Self { directory })
    }

    /// The first watched directory that is full. While another thread examines them, its last result counts.
    fn look() -> Option<PathBuf> {
        if LOOKING.swap(true, Ordering::AcqRel) {
            return FOUND.lock().clone();
        }
        let watched = WATCHED.lock().clone();
        let (done, found) = mpsc::channel();
        let looking = thread::Builder::new().name("disks".to_owned()).spawn(move || {
            let full = watched.into_iter().find(|directory| Space::of(directory).is_some_and(Space::is_full));
            FOUND.lock().clone_from(&full);
            LOOKING.store(false, Ordering::Release);
            // The receiver is gone if this took too long.
            let _ = done.send(full);
        });
        if looking.is_err() {
            LOOKING.store(false, Ordering::Release);
        }
        found.recv_timeout(PATIENCE).ok().flatten()
    }

    /// Logs it with what failed: one line a minute for each directory.
    pub fn report(&self, error: &dyn fmt::Display) {
        if !self.is_due() {
            return;
        }
        match &self.directory {
            Some(directory) => tracing::error!(
                %error,
                "storage is full: free some space in {}; work continues without a restart", directory.display()
            ),
            None => tracing::error!(
                %error,
                "storage is full: free some space where the error says; work continues without a restart"
            ),
        }
    }

    /// Whether a line about it is due, which then counts as logged.
    fn is_due(&self) -> bool {
        let mut logged = LOGGED.lock();
        match logged.iter_mut().find(|(directory, _)| *directory == self.directory) {
            Some((_, at)) if at.elapsed() < INTERVAL => return false,
            Some((_, at)) => *at = Instant::now(),
            None => logged.push((self.directory.clone(), Instant::now())),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write the file")]
    struct Failed(#[source] io::Error);

    #[test]
    fn a_full_disk_is_found_in_the_causes_of_an_error() {
        let of = |code| FullDisk::behind(&Failed(io::Error::from_raw_os_error(code)));
        assert_eq!(of(nix::errno::Errno::ENOSPC as i32), Some(FullDisk { directory: None }));
        assert_eq!(of(nix::errno::Errno::EDQUOT as i32), Some(FullDisk { directory: None }));
        assert_eq!(of(nix::errno::Errno::EACCES as i32), None);
        // Messages of PostgreSQL 15.
        assert!(is_named_in("could not extend file \"base/16384/16493\": No space left on device"));
        assert!(is_named_in("could not extend file \"base/16384/16493\": wrote only 4096 of 8192 bytes at block 7"));
    }

    #[test]
    fn a_directory_is_full_below_a_piece_of_postgresqls_log_or_without_inodes() {
        let space = |total, available, has_inodes| Space { total, available, has_inodes }.is_full();
        assert!(space(1 << 40, LEAST - 1, true) && !space(1 << 40, LEAST, true));
        assert!(space(1 << 40, 1 << 39, false));
        // A small file system, such as that of a test, is not full from the start.
        assert!(space(100 << 20, (10 << 20) - 1, true) && !space(100 << 20, 10 << 20, true));
        assert!(!Space::of(Path::new("/proc/self")).is_some_and(Space::is_full));
    }

    #[test]
    fn each_directory_has_one_line_a_minute() {
        let [one, other] = ["/srv/one", "/srv/other"].map(|path| FullDisk::of(Path::new(path)));
        assert_eq!([&one, &one, &other, &other].map(FullDisk::is_due), [true, false, true, false]);
        for (_, at) in LOGGED.lock().iter_mut() {
            *at = Instant::now().checked_sub(INTERVAL).unwrap();
        }
        assert_eq!([&one, &one].map(FullDisk::is_due), [true, false]);
    }
}
