//! The lock files of a PostgreSQL server in its data directory: `postmaster.pid`, and one beside the socket.
//!
//! Their lines (PostgreSQL's `miscadmin.h`): process number, data directory, start time, port, socket directory,
//! listen address, shared memory, status. A process number alone does not identify a server: numbers are reused after a
//! reboot and in every new container.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::error::EmbeddedError;
use super::socket;

/// The status of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    /// Starting or recovering: refuses connections.
    Starting,
    /// Accepts connections.
    Ready,
    /// Shutting down: refuses connections.
    Stopping,
}

/// The content of a lock file.
#[derive(Debug)]
pub(super) struct PidFile {
    pub(super) path: PathBuf,
    pub(super) pid: Pid,
    pub(super) status: Status,
}

impl PidFile {
    /// Reads `postmaster.pid`; `None` when there is none, or when its first line is still being written.
    pub(super) fn of_postmaster(cluster: &Path) -> Result<Option<PidFile>, EmbeddedError> {
        PidFile::read(cluster.join("postmaster.pid"))
    }

    /// Reads the socket's lock file, which names the same process and has no status.
    pub(super) fn of_socket(cluster: &Path) -> Result<Option<PidFile>, EmbeddedError> {
        PidFile::read(cluster.join(socket::LOCK_FILE))
    }

    fn read(path: PathBuf) -> Result<Option<PidFile>, EmbeddedError> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(reason) => return Err(EmbeddedError::directory("read", &path, reason)),
        };
        Ok(PidFile::parse(path, &text))
    }

    fn parse(path: PathBuf, text: &str) -> Option<PidFile> {
        let mut lines = text.lines();
        // A single-user server writes a negative number.
        let pid = lines.next()?.trim().parse::<i32>().ok()?.checked_abs()?;
        let status = match lines.nth(6).map(str::trim) {
            Some("ready") => Status::Ready,
            Some("stopping") => Status::Stopping,
            _ => Status::Starting,
        };
        (pid > 0).then(|| PidFile { path, pid: Pid::from_raw(pid), status })
    }

    /// Whether the process is a running PostgreSQL server whose working directory is this cluster. Directories are
    /// compared by device and inode, because paths may be long, linked or renamed. False for a process that cannot be
    /// inspected: it belongs to another user, who cannot run this cluster.
    pub(super) fn is_ours(&self, cluster: &Path) -> bool {
        let process = self.process();
        let is_postgres = fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim_end() == "postgres");
        let works_here = match (fs::metadata(process.join("cwd")), fs::metadata(cluster)) {
            (Ok(its), Ok(ours)) => (its.dev(), its.ino()) == (ours.dev(), ours.ino()),
            _ => false,
        };
        is_postgres && works_here
    }

    /// Whether a process with this number exists.
    pub(super) fn is_taken(&self) -> bool {
        self.process().exists()
    }

    fn process(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.pid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(i32, Status)> {
        let file = PidFile::parse(PathBuf::new(), text)?;
        Some((file.pid.as_raw(), file.status))
    }

    #[test]
    fn the_status_is_the_eighth_line() {
        let text = "812\n/data/postgres\n1700000000\n5432\n.\n\n  1234   5\nready   \n";
        assert_eq!(parsed(text), Some((812, Status::Ready)));
        assert_eq!(parsed(&text.replace("ready   ", "stopping")), Some((812, Status::Stopping)));
        assert_eq!(parsed(&text.replace("ready   ", "starting")), Some((812, Status::Starting)));
    }

    #[test]
    fn a_file_that_is_being_written_names_no_process() {
        assert_eq!(parsed(""), None);
        assert_eq!(parsed("0\n"), None);
        assert_eq!(parsed("812\n/data"), Some((812, Status::Starting)));
        assert_eq!(parsed("-812\n/data"), Some((812, Status::Starting)));
    }
}
