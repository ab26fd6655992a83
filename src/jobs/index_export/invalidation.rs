//! The command that makes caches forget what has changed.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::error::ExportError;
use crate::config::own_variables;
use crate::package::characters::PlainLines;
use crate::subprocess::die_with_this_process;

/// The most paths that are handed over one by one.
const MOST: usize = 1000;

/// The line that stands for everything.
const EVERYTHING: &str = "*";

/// The most of the command's error output that is kept, in bytes.
const MAX_STDERR: u64 = 4096;

/// Pause between checks whether the command has ended.
const POLL: Duration = Duration::from_millis(10);

/// A command for `sh -c`, which gets the changed paths on its standard input, one a line.
#[derive(Clone, Debug)]
pub struct Invalidation {
    pub command: String,
    pub limit: Duration,
}

/// What caches have to forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stale {
    Paths(BTreeSet<String>),
    Everything,
}

impl Stale {
    pub fn of(paths: BTreeSet<String>) -> Self {
        if paths.len() > MOST { Self::Everything } else { Self::Paths(paths) }
    }

    /// The input of the command; `None` if nothing is stale.
    fn lines(&self) -> Option<String> {
        match self {
            Self::Everything => Some(format!("{EVERYTHING}\n")),
            Self::Paths(paths) if paths.is_empty() => None,
            Self::Paths(paths) => Some(paths.iter().map(|path| format!("{path}\n")).collect()),
        }
    }
}

impl Invalidation {
    /// Runs the command to its end. A nonzero exit status or a timeout is an error.
    pub(super) fn run(&self, stale: &Stale) -> Result<(), ExportError> {
        let Some(lines) = stale.lines() else { return Ok(()) };
        let failed = |error: std::io::Error| ExportError::Invalidation(format!("cannot be run: {error}"));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &self.command]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        for name in own_variables() {
            command.env_remove(name);
        }
        die_with_this_process(&mut command, Signal::SIGKILL);
        let mut child = command.spawn().map_err(failed)?;
        let (input, output) = (child.stdin.take(), child.stderr.take());
        let writing = std::thread::spawn(move || {
            // A command that does not read its input is its own affair: its status counts.
            let _ = input.map(|mut input| input.write_all(lines.as_bytes()));
        });
        let reading = std::thread::spawn(move || {
            let mut said = Vec::new();
            if let Some(mut output) = output {
                let _ = output.by_ref().take(MAX_STDERR).read_to_end(&mut said);
                let _ = std::io::copy(&mut output, &mut std::io::sink());
            }
            String::from_utf8_lossy(&said).into_owned()
        });
        let ended = self.wait(&mut child);
        // What the command has started must not outlive it with its pipes.
        let _gone_already = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
        let _ = writing.join();
        let said = reading.join().unwrap_or_default();
        let status = ended.map_err(failed)?.ok_or(ExportError::InvalidationTimedOut(self.limit))?;
        if status.success() {
            return Ok(());
        }
        let said = PlainLines(said.trim()).to_string();
        Err(ExportError::Invalidation(format!("ended with {status}: {said}")))
    }

    /// The exit status; `None` if the time is over.
    fn wait(&self, child: &mut Child) -> std::io::Result<Option<std::process::ExitStatus>> {
        let begin = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if begin.elapsed() >= self.limit {
                let _gone_already = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(POLL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(command: &str, limit: Duration, paths: &[&str]) -> Result<(), String> {
        let invalidation = Invalidation { command: command.to_owned(), limit };
        let stale = Stale::of(paths.iter().map(|path| (*path).to_owned()).collect());
        invalidation.run(&stale).map_err(|error| error.to_string())
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn the_command_reads_the_paths_and_is_not_run_without_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("paths");
        let command = format!("cat >> {}", file.display());
        run(&command, LONG, &["3/f/foo", "1/a"]).unwrap();
        run(&command, LONG, &[]).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "1/a\n3/f/foo\n");
        let many: Vec<String> = (0..=MOST).map(|number| format!("aa/bb/aabb{number}")).collect();
        run(&command, LONG, &many.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "1/a\n3/f/foo\n*\n");
    }

    #[test]
    fn a_command_that_fails_or_takes_too_long_is_an_error() {
        let said = run("echo no such distribution >&2; exit 3", LONG, &["1/a"]).unwrap_err();
        assert_eq!(said, "the command of --index-export-invalidate ended with exit status: 3: no such distribution");
        // Its children end with it.
        let said = run("sleep 1000 & sleep 1000", Duration::from_millis(50), &["1/a"]).unwrap_err();
        assert_eq!(said, "the command of --index-export-invalidate did not end within 50ms");
        run("sleep 1000 & exit 0", LONG, &["1/a"]).unwrap();
    }
}
