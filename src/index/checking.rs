//! The repository examined by git itself.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::Stdio;
use std::time::Duration;

use super::error::IndexError;
use super::git_program::readable_stderr;
use super::repository::Index;

/// How often the program is looked at, and whoever may want it stopped is asked.
const POLL: Duration = Duration::from_millis(20);

/// How much of what it says is kept, in bytes.
const MAX_SAID: u64 = 16 * 1024;

/// What git thinks of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Whole,
    /// What is wrong, in git's words.
    Damaged(String),
    /// It was stopped.
    Unknown,
}

impl Index {
    /// Has git follow every reference from the head to the last file; `thorough` has it read and hash every object as well.
    /// A repack beside it can make it miss objects that are there: ask again before you believe it.
    pub fn fsck(&self, thorough: bool, stopped: &dyn Fn() -> bool) -> Result<Condition, IndexError> {
        let failed = IndexError::file("examine", self.path());
        let mut said = tempfile::tempfile().map_err(IndexError::file("make a temporary file for", self.path()))?;
        let output = |file: &File| file.try_clone().map(Stdio::from);
        let mode: &[&str] = if thorough { &["--full", "--strict"] } else { &["--connectivity-only"] };
        let child = || -> std::io::Result<_> {
            let mut command = self.git().command();
            command.arg("--git-dir").arg(self.path()).args(["fsck", "--no-dangling", "--no-progress"]).args(mode);
            Ok(command.stdin(Stdio::null()).stdout(output(&said)?).stderr(output(&said)?).spawn())
        };
        let executable = self.git().executable.clone();
        let mut child = child().map_err(failed)?.map_err(|source| IndexError::GitMissing { executable, source })?;
        let status = loop {
            match child.try_wait().map_err(IndexError::file("wait for git in", self.path()))? {
                Some(status) => break status,
                None if stopped() => {
                    // It only reads.
                    let _gone_already = child.kill();
                    child.wait().map_err(IndexError::file("wait for git in", self.path()))?;
                    return Ok(Condition::Unknown);
                }
                None => std::thread::sleep(POLL),
            }
        };
        if status.success() {
            return Ok(Condition::Whole);
        }
        let mut text = Vec::new();
        said.rewind()
            .and_then(|()| said.take(MAX_SAID).read_to_end(&mut text))
            .map_err(IndexError::file("read what git said of", self.path()))?;
        Ok(Condition::Damaged(readable_stderr(&text)))
    }
}
