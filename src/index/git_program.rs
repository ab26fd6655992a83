//! The git program, run so that nothing but the repository decides what it does.
//!
//! Its environment is emptied: the user's and the machine's configuration, a `GIT_DIR` of a surrounding hook, prompts
//! and the secrets of this process stay out. What it may run is found on a search path that is given. The repository
//! may belong to another user (a volume in a container), which git would refuse, so it is named as safe.
//!
//! A command has a time limit, after which its whole process group is killed, because `git repack` leaves the work to
//! a child. What holds the caller's lock is passed on as the command's standard input: should this process be killed,
//! the lock stays until the command has ended too, and no other writer starts beside it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::error::IndexError;
use super::git_limits::{Dies, GitLimits};
use crate::package::characters::PlainLines;

/// How often a running command is looked at.
const POLL: Duration = Duration::from_millis(5);

/// How much of what a command said is kept, in bytes.
const MAX_STDERR: u64 = 8 * 1024;

/// How much of its answer is read, in bytes: a line a reference.
const MAX_STDOUT: u64 = 64 * 1024;

/// Which git program, and where it finds its helpers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitProgram {
    /// Its name or path.
    pub executable: PathBuf,
    /// The value of `PATH` for it and its children.
    pub search_path: OsString,
}

impl Default for GitProgram {
    /// `git` where packages install it.
    fn default() -> GitProgram {
        GitProgram {
            executable: PathBuf::from("git"),
            search_path: OsString::from("/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"),
        }
    }
}

impl GitProgram {
    /// A git command without arguments in the clean environment.
    pub fn command(&self) -> Command {
        self.command_with(&[])
    }

    /// The same with more settings, by their names as `git config` has them. They go through the environment, where other
    /// users of the machine can't read them as they could on a command line.
    pub(super) fn command_with(&self, settings: &[(String, String)]) -> Command {
        let mut command = Command::new(&self.executable);
        command
            .env_clear()
            .env("PATH", &self.search_path)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_COUNT", (settings.len() + 1).to_string())
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*");
        for (place, (name, value)) in settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{}", place + 1), name);
            command.env(format!("GIT_CONFIG_VALUE_{}", place + 1), value);
        }
        command
    }

    /// Runs `git version`: whether there is such a program.
    pub fn check(&self) -> Result<(), IndexError> {
        let missing = |source| IndexError::GitMissing { executable: self.executable.clone(), source };
        let answer = self.command().arg("version").stdin(Stdio::null()).output().map_err(missing)?;
        if answer.status.success() {
            return Ok(());
        }
        Err(missing(std::io::Error::other(format!("`version` ended with {}", answer.status))))
    }

    /// Runs a command in the repository to its end; an ending other than 0 or a longer time is an error.
    pub(super) fn run(
        &self,
        repository: &Path,
        arguments: &[&str],
        lock: &File,
        limit: Duration,
    ) -> Result<(), IndexError> {
        let mut stderr = tempfile::tempfile().map_err(IndexError::file("make a temporary file for", repository))?;
        let shared = |file: &File| file.try_clone().map_err(IndexError::file("open", repository));
        let mut command = self.command();
        // It works on after this process has died, and holds the lock meanwhile.
        GitLimits::BACKGROUND.apply(&mut command, Dies::Later);
        let mut child = command
            .arg("--git-dir")
            .arg(repository)
            .args(arguments)
            .stdin(Stdio::from(shared(lock)?))
            .stdout(Stdio::null())
            .stderr(Stdio::from(shared(&stderr)?))
            .process_group(0)
            .spawn()
            .map_err(|source| IndexError::GitMissing { executable: self.executable.clone(), source })?;
        let status = wait(&mut child, limit).map_err(IndexError::file("wait for git in", repository))?;
        let command = arguments.join(" ");
        let path = repository.to_owned();
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => {
                Err(IndexError::GitFailed { command, path, status: status.to_string(), stderr: said(&mut stderr) })
            }
            None => Err(IndexError::GitTimedOut { command, path, limit, stderr: said(&mut stderr) }),
        }
    }
}

/// How a command ended that was run by [`run_to_its_end`].
pub(super) struct Ended {
    /// None: its time was over, and it was killed.
    pub status: Option<ExitStatus>,
    pub stdout: String,
    /// The readable part.
    pub stderr: String,
}

/// Runs a command, which asks nothing and dies with this process, and keeps what it says.
pub(super) fn run_to_its_end(mut command: Command, limit: Duration) -> std::io::Result<Ended> {
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    // It has the environment's secrets, and nobody to report to.
    GitLimits::REMOTE.apply(&mut command, Dies::WithItsStarter);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?))
        .process_group(0)
        .spawn()?;
    let status = wait(&mut child, limit)?;
    let mut bytes = Vec::new();
    stdout.rewind()?;
    stdout.take(MAX_STDOUT).read_to_end(&mut bytes)?;
    Ok(Ended { status, stdout: String::from_utf8_lossy(&bytes).into_owned(), stderr: said(&mut stderr) })
}

/// The readable part of what git wrote to its standard error.
pub fn readable_stderr(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() { "it said nothing".to_owned() } else { PlainLines(&lines.join("\n")).to_string() }
}

/// Waits for the command; `None`: the time was over and it was killed.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            // The group has the number of its first process, which can't be reused before the wait below.
            let _gone_already = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

fn said(stderr: &mut File) -> String {
    let mut bytes = Vec::new();
    let length = stderr.metadata().map_or(0, |metadata| metadata.len());
    let start = std::io::SeekFrom::Start(length.saturating_sub(MAX_STDERR));
    match stderr.seek(start).and_then(|_| stderr.take(MAX_STDERR).read_to_end(&mut bytes)) {
        Ok(_) => readable_stderr(&bytes),
        Err(error) => format!("what it said can't be read: {error}"),
    }
}
