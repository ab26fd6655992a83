//! What can go wrong with the index, sorted by whose trouble it is.
//!
//! A batch of jobs shares one writer, one repository and one disk. When one of these fails, every job of the batch
//! has failed and a second try alone helps none of them; when a single change is wrong, only its own job is.
//! [`IndexError::is_shared`] is that question.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{ErrorClass, ErrorCode, Oid};

/// An error of the git index.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// A file or directory of the repository can't be used.
    #[error("can't {action} {}: check that the directory exists and belongs to the user supercargo runs as", path.display())]
    File {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// The index's directory holds something that is no index.
    #[error(
        "{} is not a bare git repository and not empty: name another directory for the index, or move its content away",
        path.display()
    )]
    NotARepository {
        /// The directory that was named as the index.
        path: PathBuf,
    },

    /// The repository's HEAD names another branch than the one supercargo moves.
    #[error(
        "HEAD of the index {} is {found}, it must be refs/heads/main: rename the branch and run `git symbolic-ref HEAD refs/heads/main`",
        path.display()
    )]
    WrongBranch {
        /// The repository.
        path: PathBuf,
        /// What HEAD holds.
        found: String,
    },

    /// libgit2 could not read or write the repository.
    #[error("can't {action} in the index {}: `git fsck` there tells what is damaged", path.display())]
    Repository {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The repository.
        path: PathBuf,
        /// libgit2's answer.
        source: git2::Error,
    },

    /// No space is left for the repository.
    #[error("the disk that holds the index {} is full: free some space, the work goes on by itself", path.display())]
    DiskFull {
        /// The repository.
        path: PathBuf,
    },

    /// The branch is not where the caller saw it: read again, render again, commit again.
    #[error("the index has moved from {} to {} in the meantime", Commit(expected), Commit(found))]
    HeadMoved {
        /// The commit that the changes were made for.
        expected: Option<Oid>,
        /// The commit the branch is at.
        found: Option<Oid>,
    },

    /// A lock file of the branch stays.
    #[error(
        "{} has been in the way for {waited:?}: another git program is writing to the index, or was killed while it did; restart supercargo to have it removed",
        path.display()
    )]
    BranchLocked {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },

    /// A path that the index can't hold.
    #[error("{path:?} can't be a path of the index: {reason}")]
    InvalidPath {
        /// The path as it was given.
        path: String,
        /// The rule it breaks.
        reason: &'static str,
    },

    /// A file stands where a directory is needed, or the other way round.
    #[error("{path} can't be written to the index: {obstacle} is there already, and is {kind}")]
    PathConflict {
        /// The path to write.
        path: String,
        /// The path in its way.
        obstacle: String,
        /// What stands there: "a file" or "a directory".
        kind: &'static str,
    },

    /// The git program can't be started.
    #[error("can't run {}: install git (Debian: apt-get install git)", executable.display())]
    GitMissing {
        /// The name or path it was called by.
        executable: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// The git program ended with an error.
    #[error("`git {command}` in the index {} ended with {status}: {stderr}", path.display())]
    GitFailed {
        /// Its arguments.
        command: String,
        /// The repository.
        path: PathBuf,
        /// How it ended, as the system words it.
        status: String,
        /// What it said.
        stderr: String,
    },

    /// The remote can't be reached, does not let us in, or broke off; what became of a push is not known.
    #[error("can't {action} the index's remote {url}: {said}{remedy}")]
    Remote {
        /// What was attempted, as verb and preposition.
        action: &'static str,
        /// The remote, without secrets.
        url: String,
        /// What git or the remote said, without secrets.
        said: String,
        /// What to do about it; empty if only the remote's own operator knows.
        remedy: &'static str,
    },

    /// The remote said no to a push that was good: a hook, a protected branch.
    #[error(
        "the index's remote {url} refused the push to its branch {branch}: {said}; let the user who pushes write to this branch"
    )]
    RemoteRefused {
        /// The remote, without secrets.
        url: String,
        /// The branch there.
        branch: String,
        /// What it said.
        said: String,
    },

    /// The index here has commits that a remote which it did not follow before lacks.
    #[error(
        "the index {} has commits that the branch {branch} of {url} lacks, and it did not follow that remote before: push \
         them there (`git push {url} main:{branch}`), or, to take the index of the remote as it is, move the directory away",
        path.display()
    )]
    RemoteUnrelated {
        /// The repository.
        path: PathBuf,
        /// The remote, without secrets.
        url: String,
        /// The branch there.
        branch: String,
    },

    /// This machine has no copy of the remote's index yet.
    #[error("the index is still being fetched from its remote {url}")]
    BeingFetched {
        /// The remote, without secrets.
        url: String,
    },

    /// Somebody else of this machine writes or fetches for too long.
    #[error("the right to write the index {} was not to be had within {waited:?}: another process has it", path.display())]
    WriterBusy {
        /// The repository.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },

    /// The index follows a remote, and this process was not told so.
    #[error(
        "the index {} follows the remote {url}, and without it nothing that is published here would reach the others: \
         name it with --index-remote; to leave it for good, run `git config --unset supercargo.remote` there",
        path.display()
    )]
    RemoteForgotten {
        /// The repository.
        path: PathBuf,
        /// The remote, without secrets.
        url: String,
    },

    /// A file of credentials can't be read, or holds nothing.
    #[error("the file {} can't be used to log in to the index's remote: {reason}", path.display())]
    Credentials {
        /// The file that was named.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A fail point of a test.
    #[error(transparent)]
    Fault(#[from] crate::fault::Fault),

    /// The git program took too long and was stopped.
    #[error("`git {command}` in the index {} was stopped after {limit:?}: {stderr}", path.display())]
    GitTimedOut {
        /// Its arguments.
        command: String,
        /// The repository.
        path: PathBuf,
        /// The time it had.
        limit: Duration,
        /// What it had said until then.
        stderr: String,
    },
}

impl IndexError {
    /// Whether the whole batch is concerned (repository, disk, lock, a head that moved), and not one change alone.
    pub fn is_outage(&self) -> bool {
        !matches!(self, IndexError::InvalidPath { .. } | IndexError::PathConflict { .. })
    }

    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IndexError {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => IndexError::DiskFull { path: path.to_owned() },
            _ => IndexError::File { action, path: path.to_owned(), source },
        }
    }

    pub(super) fn git(action: &'static str, path: &Path) -> impl FnOnce(git2::Error) -> IndexError {
        move |source| {
            // libgit2 passes the system's error number on as text only.
            if source.class() == ErrorClass::Os && source.message().contains("No space left on device") {
                IndexError::DiskFull { path: path.to_owned() }
            } else {
                IndexError::Repository { action, path: path.to_owned(), source }
            }
        }
    }
}

/// Turns libgit2's "there is none" into `None`.
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
