//! Errors of the index.
//!
//! A batch of jobs shares one writer, one repository and one disk. If one of these fails, every job of the batch has
//! failed and a retry of a single job does not help; if one change is invalid, only its job has failed.
//! [`IndexError::is_outage`] tells the two apart.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{ErrorClass, ErrorCode, Oid};
use nix::errno::Errno;

use crate::full_disk;

/// An error of the git index.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// A file or directory of the repository cannot be used.
    #[error("cannot {action} {}: check that it exists and belongs to the user that supercargo runs as", path.display())]
    File {
        /// The failed action, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// The index's directory contains something else.
    #[error(
        "{} is neither a bare git repository nor empty: name another directory for the index, or move its content away",
        path.display()
    )]
    NotARepository {
        /// The directory.
        path: PathBuf,
    },

    /// The repository's HEAD names another branch.
    #[error(
        "HEAD of the index {} is {found} instead of {expected}: rename the branch and run `git symbolic-ref HEAD {expected}`",
        path.display()
    )]
    WrongBranch {
        /// The repository.
        path: PathBuf,
        /// The content of HEAD.
        found: String,
        /// The branch of the index.
        expected: String,
    },

    /// The repository has a branch of the wanted name with other commits.
    #[error(
        "the index {} has a branch {name} with commits of its own: choose another --index-branch, or run `git update-ref -d refs/heads/{name}` there if nobody needs them",
        path.display()
    )]
    BranchTaken {
        /// The repository.
        path: PathBuf,
        /// The wanted name.
        name: String,
    },

    /// libgit2 could not read or write the repository.
    #[error("cannot {action} in the index {}: run `git fsck` there to find the damage", path.display())]
    Repository {
        /// The failed action, as a verb.
        action: &'static str,
        /// The repository.
        path: PathBuf,
        /// libgit2's error.
        source: git2::Error,
    },

    /// No space is left for the repository.
    #[error("the disk of the index {} is full: free some space, and work continues without a restart", path.display())]
    DiskFull {
        /// The repository.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// The branch has moved since the caller read it: read, render and commit again.
    #[error("the index has moved from {} to {} meanwhile", Commit(expected), Commit(found))]
    HeadMoved {
        /// The commit that the changes are based on.
        expected: Option<Oid>,
        /// The commit of the branch.
        found: Option<Oid>,
    },

    /// A lock file of the branch remains.
    #[error(
        "the lock file {} has been there for {waited:?}: another git program is writing to the index or was killed while writing; restart supercargo to remove it",
        path.display()
    )]
    BranchLocked {
        /// The lock file.
        path: PathBuf,
        /// The time waited.
        waited: Duration,
    },

    /// A path is not valid in the index.
    #[error("{path:?} cannot be a path of the index: {reason}")]
    InvalidPath {
        /// The path.
        path: String,
        /// The violated rule.
        reason: &'static str,
    },

    /// There is a file in place of a directory, or the reverse.
    #[error("cannot write {path} to the index: {obstacle} exists and is {kind}")]
    PathConflict {
        /// The path to write.
        path: String,
        /// The path in its way.
        obstacle: String,
        /// "a file" or "a directory".
        kind: &'static str,
    },

    /// The git program cannot be started.
    #[error("cannot run {}: install git (Debian: apt-get install git)", executable.display())]
    GitMissing {
        /// Its name or path.
        executable: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// The git program ended with an error.
    #[error("`git {command}` in the index {} ended with {status}: {stderr}", path.display())]
    GitFailed {
        /// Its arguments.
        command: String,
        /// The repository.
        path: PathBuf,
        /// The exit status, in the system's words.
        status: String,
        /// Its error output.
        stderr: String,
    },

    /// The remote cannot be reached, rejected the login or broke the connection. The outcome of a push is unknown.
    #[error("cannot {action} the index's remote {url}: {message}{remedy}")]
    Remote {
        /// The failed action, as verb and preposition.
        action: &'static str,
        /// The remote, without secrets.
        url: String,
        /// The message of git or the remote, without secrets.
        message: String,
        /// The remedy; empty if it is unknown.
        remedy: &'static str,
    },

    /// The remote rejected a valid push: a hook, a protected branch.
    #[error(
        "the index's remote {url} rejected the push to its branch {branch}: {message}; allow the pushing user to write to this branch"
    )]
    RemoteRefused {
        /// The remote, without secrets.
        url: String,
        /// The remote's branch.
        branch: String,
        /// Its message.
        message: String,
    },

    /// The local index has commits that the remote lacks, and has not followed this remote before.
    #[error(
        "the index {} has commits that the branch {branch} of {url} lacks, and has not followed that remote before: push \
         them there (`git push {url} main:{branch}`), or move the directory away to use the remote's index",
        path.display()
    )]
    RemoteUnrelated {
        /// The repository.
        path: PathBuf,
        /// The remote, without secrets.
        url: String,
        /// The remote's branch.
        branch: String,
    },

    /// The first fetch of the remote's index has not ended.
    #[error("the index is still being fetched from its remote {url}")]
    BeingFetched {
        /// The remote, without secrets.
        url: String,
    },

    /// Another process has held the write lock for too long.
    #[error(
        "timed out waiting for the index's write lock: another process has been writing or fetching in {} for {waited:?}",
        path.display()
    )]
    WriterBusy {
        /// The repository.
        path: PathBuf,
        /// The time waited.
        waited: Duration,
    },

    /// The index follows a remote that the settings of this process do not name.
    #[error(
        "the index {} follows the remote {url}, and without it no other machine would receive what is published here: name \
         the remote with --index-remote; to stop following it, run `git config --unset supercargo.remote` there",
        path.display()
    )]
    RemoteForgotten {
        /// The repository.
        path: PathBuf,
        /// The remote, without secrets.
        url: String,
    },

    /// A file with credentials cannot be read or is not valid.
    #[error("cannot log in to the index's remote with the file {}: {reason}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// The problem.
        reason: String,
    },

    /// A fail point of a test.
    #[error(transparent)]
    Fault(#[from] crate::fault::Fault),

    /// The git program exceeded its time limit and was killed.
    #[error("`git {command}` in the index {} was stopped after {limit:?}: {stderr}", path.display())]
    GitTimedOut {
        /// Its arguments.
        command: String,
        /// The repository.
        path: PathBuf,
        /// The time limit.
        limit: Duration,
        /// Its error output until then.
        stderr: String,
    },
}

impl IndexError {
    /// Whether the error concerns the whole batch (repository, disk, lock, a head that moved) and not one change alone.
    pub fn is_outage(&self) -> bool {
        !matches!(self, IndexError::InvalidPath { .. } | IndexError::PathConflict { .. })
    }

    /// The error of a git that worked for this repository in another one.
    pub(super) fn of_repository(mut self, repository: &Path) -> IndexError {
        if let IndexError::GitFailed { path, .. } | IndexError::GitTimedOut { path, .. } = &mut self {
            repository.clone_into(path);
        }
        self
    }

    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IndexError {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                IndexError::DiskFull { path: path.to_owned(), source }
            }
            _ => IndexError::File { action, path: path.to_owned(), source: without_random_name(source) },
        }
    }

    pub(super) fn git(action: &'static str, path: &Path) -> impl FnOnce(git2::Error) -> IndexError {
        move |source| {
            // libgit2 reports the system's error only as text.
            if source.class() == ErrorClass::Os && full_disk::is_named_in(source.message()) {
                IndexError::DiskFull { path: path.to_owned(), source: Errno::ENOSPC.into() }
            } else {
                IndexError::Repository { action, path: path.to_owned(), source }
            }
        }
    }
}

/// Converts libgit2's "not found" to `None`.
pub(super) fn optional<T>(answer: Result<T, git2::Error>) -> Result<Option<T>, git2::Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

struct Commit<'a>(&'a Option<Oid>);

impl std::fmt::Display for Commit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(id) => write!(f, "commit {id}"),
            None => f.write_str("its empty state"),
        }
    }
}

/// The error of a temporary file without the file's name, which is random: an outage is recognised by the text of its error.
fn without_random_name(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path \"") {
        Some((system, _)) if error.get_ref().is_some() => io::Error::new(error.kind(), system.to_owned()),
        _ => error,
    }
}
