//! A git process with its pipes and its time limit.

use std::io::{self, Read};
use std::process::{self, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::web::index::git::body::RequestBody;

/// Bytes of git's error output that are kept.
const MAX_STDERR: usize = 8 * 1024;

/// A process. If it is dropped before its end, its whole group is killed, because a child of git does the work.
pub struct Process(Child);

/// The pipes to a process.
pub struct Pipes {
    pub stdin: ChildStdin,
    pub stdout: ChildStdout,
    pub stderr: ChildStderr,
}

impl Process {
    /// Starts a process in a group of its own.
    pub fn start(command: process::Command) -> io::Result<(Self, Pipes)> {
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Self(command.process_group(0).kill_on_drop(true).spawn()?);
        let Child { stdin, stdout, stderr, .. } = &mut process.0;
        match (stdin.take(), stdout.take(), stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => Ok((process, Pipes { stdin, stdout, stderr })),
            _ => Err(io::Error::other("a pipe is missing")),
        }
    }

    /// Waits for the exit status.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait().await
    }

    /// Kills the group of a process that has not been waited for.
    pub fn kill(&self) {
        // The process has an id until it is waited for, and until then no other process has the same one.
        if let Some(id) = self.0.id() {
            let _already_ended = killpg(Pid::from_raw(id.cast_signed()), Signal::SIGKILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Why the output of a process was not read to its end.
pub enum Stop {
    TimeLimit,
    Io(io::Error),
}

/// The time that a process has left.
pub struct TimeLeft(pub Duration);

impl TimeLeft {
    /// Runs work on behalf of the process until the time is used up.
    pub async fn limit<T>(&mut self, work: impl Future<Output = io::Result<T>>) -> Result<T, Stop> {
        let begin = Instant::now();
        let done = timeout(self.0, work).await;
        self.0 = self.0.saturating_sub(begin.elapsed());
        done.map_err(|_| Stop::TimeLimit)?.map_err(Stop::Io)
    }
}

/// Writes a request of this length. Git may exit before it has read all of it.
pub async fn feed(mut stdin: ChildStdin, body: RequestBody, length: u64) {
    let mut source = body.decoded().take(length);
    let mut piece = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = source.read(&mut piece) {
        if stdin.write_all(&piece[..read]).await.is_err() {
            break;
        }
    }
}

/// Reads the error output to its end and keeps the start.
pub async fn collect(mut stderr: ChildStderr) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut piece = [0; 1024];
    while let Ok(length @ 1..) = stderr.read(&mut piece).await {
        let room = MAX_STDERR - kept.len();
        kept.extend_from_slice(&piece[..length.min(room)]);
    }
    kept
}
