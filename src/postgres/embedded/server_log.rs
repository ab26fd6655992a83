//! What the server says, in `<data-dir>/postgres.log`: a file and not a pipe to us, so that its last words are kept
//! when this process is killed. It grows by warnings and errors only; one older file is kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::EmbeddedError;

/// Bytes after which a start begins a new file.
const ROTATE_AT: u64 = 16 * 1024 * 1024;
/// How much of the end is quoted in an error: bytes read, and lines shown of them.
const TAIL_BYTES: u64 = 8 * 1024;
const TAIL_LINES: usize = 12;

/// The log of one cluster.
#[derive(Debug)]
pub(super) struct ServerLog {
    path: PathBuf,
}

/// The log as one server writes it, which began at some place in the file.
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

    /// Opens the log for one run of the server. It is readable by its owner only, since failed statements are in it.
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

    /// The last lines that were written after `begins_at`.
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
            Err(error) => format!("(the log can't be read: {error})"),
        }
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
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
    fn the_tail_shows_only_what_this_run_said() -> Result<(), Box<dyn std::error::Error>> {
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
        Ok(())
    }
}
