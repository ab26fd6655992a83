//! Running the git program in a controlled environment.
//!
//! The environment is cleared: the configuration of the user and the machine, a `GIT_DIR` of a surrounding hook,
//! prompts and the secrets of this process do not reach git. Its helpers are found on a given search path. The
//! repository may belong to another user (a volume in a container), which git would reject, so it is declared safe.
//!
//! A command has a time limit. When that is over, its whole process group is killed, because `git repack` starts
//! children. The file whose lock the caller holds is the command's standard input: if this process is killed, the lock
//! remains until the command has ended, so no other repack runs at the same time.

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

/// Pause between checks whether a command has ended.
const POLL: Duration = Duration::from_millis(5);

/// The most error output that is kept, in bytes.
const MAX_STDERR: u64 = 8 * 1024;

/// The most output that is read, in bytes: it has one line per reference.
const MAX_STDOUT: u64 = 64 * 1024;

/// The git program and the search path of its helpers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitProgram {
    /// Its name or path.
    pub executable: PathBuf,
    /// The value of `PATH` for it and its children.
    pub search_path: OsString,
}

impl Default for GitProgram {
    /// `git` on the usual search path.
    fn default() -> GitProgram {
        GitProgram {
            executable: PathBuf::from("git"),
            search_path: OsString::from("/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"),
        }
    }
}

impl GitProgram {
    /// A git command without arguments in the cleared environment.
    pub fn command(&self) -> Command {
        self.command_with(&[])
    }

    /// A git command with settings, named as in `git config`. They are passed in the environment, because other users
    /// of the machine can read command lines.
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
        for (number, (name, value)) in settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{}", number + 1), name);
            command.env(format!("GIT_CONFIG_VALUE_{}", number + 1), value);
        }
        command
    }

    /// Runs `git version` to check that the program exists.
    pub fn check(&self) -> Result<(), IndexError> {
        let missing = |source| IndexError::GitMissing { executable: self.executable.clone(), source };
        let answer = self.command().arg("version").stdin(Stdio::null()).output().map_err(missing)?;
        if answer.status.success() {
            return Ok(());
        }
        Err(missing(std::io::Error::other(format!("`version` ended with {}", answer.status))))
    }

    /// Runs a command in the repository to its end. A nonzero exit status or a timeout is an error.
    pub(super) fn run(
        &self,
        repository: &Path,
        arguments: &[&str],
        lock: &File,
        limit: Duration,
    ) -> Result<(), IndexError> {
        // If this process dies, the command finishes its work and holds the lock until then.
        let limits = (GitLimits::BACKGROUND, Dies::Later);
        self.run_under(limits, (repository, arguments), lock, limit, &|| false).map(|_not_stopped| ())
    }

    /// Runs a command that takes long, with the lowest priority. It is killed if this process dies, and when it
    /// `is_stopped`; the result is then false.
    pub(super) fn run_idly(
        &self,
        repository: &Path,
        arguments: &[&str],
        limit: Duration,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<bool, IndexError> {
        let nothing = File::open("/dev/null").map_err(IndexError::file("open", Path::new("/dev/null")))?;
        let limits = (GitLimits::IDLE, Dies::WithItsStarter);
        self.run_under(limits, (repository, arguments), &nothing, limit, is_stopped)
    }

    /// Runs a command to its end; false if it was stopped.
    fn run_under(
        &self,
        (limits, dies): (GitLimits, Dies),
        (repository, arguments): (&Path, &[&str]),
        input: &File,
        limit: Duration,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<bool, IndexError> {
        if is_stopped() {
            return Ok(false);
        }
        let mut stderr = tempfile::tempfile().map_err(IndexError::file("make a temporary file for", repository))?;
        let shared = |file: &File| file.try_clone().map_err(IndexError::file("open", repository));
        let mut command = self.command();
        limits.apply(&mut command, dies);
        let mut child = command
            .arg("--git-dir")
            .arg(repository)
            .args(arguments)
            .stdin(Stdio::from(shared(input)?))
            .stdout(Stdio::null())
            .stderr(Stdio::from(shared(&stderr)?))
            .process_group(0)
            .spawn()
            .map_err(|source| IndexError::GitMissing { executable: self.executable.clone(), source })?;
        let waited = wait(&mut child, limit, is_stopped).map_err(IndexError::file("wait for git in", repository))?;
        let command = arguments.join(" ");
        let path = repository.to_owned();
        match waited {
            Some(status) if status.success() => Ok(true),
            Some(status) => Err(IndexError::GitFailed {
                command,
                path,
                status: status.to_string(),
                stderr: error_output(&mut stderr),
            }),
            None if is_stopped() => Ok(false),
            None => Err(IndexError::GitTimedOut { command, path, limit, stderr: error_output(&mut stderr) }),
        }
    }
}

/// The result of [`run_to_its_end`].
pub(super) struct Ended {
    /// `None` if the command was killed because it exceeded its time limit.
    pub status: Option<ExitStatus>,
    pub stdout: String,
    /// The readable part.
    pub stderr: String,
}

/// Runs a command without input and captures its output. The command is killed if this process dies.
pub(super) fn run_to_its_end(command: Command, limit: Duration) -> std::io::Result<Ended> {
    // It has secrets in its environment, and its result would have no reader.
    run_to_its_end_within((GitLimits::REMOTE, Dies::WithItsStarter), command, limit)
}

/// The same with other limits.
pub(super) fn run_to_its_end_within(
    (limits, dies): (GitLimits, Dies),
    mut command: Command,
    limit: Duration,
) -> std::io::Result<Ended> {
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    limits.apply(&mut command, dies);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?))
        .process_group(0)
        .spawn()?;
    let status = wait(&mut child, limit, &|| false)?;
    let mut bytes = Vec::new();
    stdout.rewind()?;
    stdout.take(MAX_STDOUT).read_to_end(&mut bytes)?;
    Ok(Ended { status, stdout: String::from_utf8_lossy(&bytes).into_owned(), stderr: error_output(&mut stderr) })
}

/// The readable part of what git wrote to its standard error.
pub fn readable_stderr(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() { "no output".to_owned() } else { PlainLines(&lines.join("\n")).to_string() }
}

/// Waits for the command; `None` if it was killed because it exceeded the time limit or is to stop.
fn wait(child: &mut Child, limit: Duration, is_stopped: &dyn Fn() -> bool) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline || is_stopped() {
            // The group has the id of its first process, which cannot be reused before the wait below.
            let _gone_already = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

fn error_output(stderr: &mut File) -> String {
    let mut bytes = Vec::new();
    let length = stderr.metadata().map_or(0, |metadata| metadata.len());
    let start = std::io::SeekFrom::Start(length.saturating_sub(MAX_STDERR));
    match stderr.seek(start).and_then(|_| stderr.take(MAX_STDERR).read_to_end(&mut bytes)) {
        Ok(_) => readable_stderr(&bytes),
        Err(error) => format!("cannot read its output: {error}"),
    }
}
