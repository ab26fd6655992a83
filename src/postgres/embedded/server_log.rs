//! The server's log, `<data-dir>/postgres.log`. It is a file and not a pipe, so that the last lines are kept when this
//! process is killed. It grows by warnings and errors only; one older file is kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::EmbeddedError;

/// The size in bytes above which a start begins a new file.
const ROTATE_AT: u64 = 16 * 1024 * 1024;
/// The end of the log that an error quotes: bytes read, and lines shown of them.
const TAIL_BYTES: u64 = 8 * 1024;
const TAIL_LINES: usize = 12;

/// The log of one cluster.
#[derive(Debug)]
pub(super) struct ServerLog {
    path: PathBuf,
}

/// The log of one run of the server, and the offset in the file at which it begins.
#[derive(Debug)]
pub(super) struct OpenLog {
    pub(super) file: File,
    pub(super) begins_at: u64,
}

impl ServerLog {
    pub(super) fn of(data_dir: &Path) -> ServerLog {
        ServerLog { path: data_dir.join("postgres.log") }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the log for one run of the server. Only its owner can read it, since it holds failed statements.
    pub(super) fn open(&self) -> Result<OpenLog, EmbeddedError> {
        let open = || -> io::Result<OpenLog> {
            if fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > ROTATE_AT) {
                fs::rename(&self.path, self.path.with_extension("log.old"))?;
            }
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
            let begins_at = file.metadata()?.len();
            Ok(OpenLog { file, begins_at })
        };
        open().map_err(|reason| EmbeddedError::directory("write", &self.path, reason))
    }

    /// The last lines after `begins_at`.
    pub(super) fn tail(&self, begins_at: u64) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(begins_at.max(length.saturating_sub(TAIL_BYTES))))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => last_lines(&String::from_utf8_lossy(&bytes)),
            Err(error) => format!("(the log cannot be read: {error})"),
        }
    }
}

/// Lines with a tab continue the one before: those of a statement would leave no space for the reason.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('\t')).collect();
    if lines.is_empty() {
        return "(nothing)".to_owned();
    }
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_tail_shows_only_lines_of_this_run() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let log = ServerLog::of(directory.path());
        writeln!(log.open()?.file, "an earlier run")?;
        let open = log.open()?;
        assert_eq!(log.tail(open.begins_at), "(nothing)");
        for number in 0..20 {
            writeln!(&open.file, "line {number}")?;
        }
        let tail = log.tail(open.begins_at);
        assert!(tail.starts_with("line 8\n") && tail.ends_with("line 19"), "{tail}");
        writeln!(&open.file, "STATEMENT:  SELECT 1\n\tFROM jobs\n\tORDER BY place\nLOG:  shutting down")?;
        assert!(log.tail(open.begins_at).ends_with("line 19\nSTATEMENT:  SELECT 1\nLOG:  shutting down"));
        Ok(())
    }
}
