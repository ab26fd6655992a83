//! Checking the repository with `git fsck`.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::Stdio;
use std::time::Duration;

use super::error::IndexError;
use super::git_program::readable_stderr;
use super::repository::Index;

/// Pause between checks whether git has ended or the caller has stopped it.
const POLL: Duration = Duration::from_millis(20);

/// The most output that is kept, in bytes.
const MAX_OUTPUT: u64 = 16 * 1024;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Whole,
    /// git's messages.
    Damaged(String),
    /// The check was stopped.
    Unknown,
}

impl Index {
    /// Checks that every object that a reference leads to is present; `thorough` also reads and hashes every object. A
    /// repack at the same time can make git report objects as missing, so repeat a check that fails.
    pub fn fsck(&self, thorough: bool, stopped: &dyn Fn() -> bool) -> Result<Condition, IndexError> {
        let failed = IndexError::file("examine", self.path());
        let mut messages = tempfile::tempfile().map_err(IndexError::file("make a temporary file for", self.path()))?;
        let output = |file: &File| file.try_clone().map(Stdio::from);
        let mode: &[&str] = if thorough { &["--full", "--strict"] } else { &["--connectivity-only"] };
        let child = || -> std::io::Result<_> {
            let mut command = self.git().command();
            command.arg("--git-dir").arg(self.path()).args(["fsck", "--no-dangling", "--no-progress"]).args(mode);
            Ok(command.stdin(Stdio::null()).stdout(output(&messages)?).stderr(output(&messages)?).spawn())
        };
        let executable = self.git().executable.clone();
        let mut child = child().map_err(failed)?.map_err(|source| IndexError::GitMissing { executable, source })?;
        let status = loop {
            match child.try_wait().map_err(IndexError::file("wait for git in", self.path()))? {
                Some(status) => break status,
                None if stopped() => {
                    // Killing git is safe here: fsck only reads.
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
        messages
            .rewind()
            .and_then(|()| messages.take(MAX_OUTPUT).read_to_end(&mut text))
            .map_err(IndexError::file("read the output of git in", self.path()))?;
        Ok(Condition::Damaged(readable_stderr(&text)))
    }
}
