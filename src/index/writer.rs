//! Writing the index.
//!
//! A commit has these steps: check that the head is still the one that the changes are based on; build the commits in
//! memory; write them as one synced pack; move the branch by compare-and-swap, which is synced too. A process that is
//! killed before the last step leaves an unreferenced pack and lock or temporary files, which
//! [`Writer::clean_leftovers`] removes. The write lock excludes a second writer. The compare-and-swap is safe even
//! where the lock does not work: on a network disk without locks, or against an operator's `git commit`.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use git2::{ErrorCode, Oid, Repository};

use super::batch::Batch;
use super::branch::{self, MAIN};
use super::change::Change;
use super::error::{IndexError, optional};
use super::remote::Remote;
use super::repository::{Head, Index};
use crate::fault;

/// The file whose lock a writer holds.
const LOCK: &str = "supercargo-writer.lock";

/// Pause between attempts to lock it within a time limit.
const LOCK_POLL: Duration = Duration::from_millis(2);

/// The time limit for waiting for a lock file of the branch.
const BRANCH_LOCK_WAIT: Duration = Duration::from_secs(2);

/// Above the priorities of the backends that write to the disk, which are 1 and 2.
const MEMPACK_PRIORITY: i32 = 1000;

/// The holder of the write lock, which is released when this is dropped.
#[derive(Debug)]
pub struct Writer {
    pub(super) index: Index,
    _lock: File,
}

/// The result of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The head afterwards; the base if nothing differed.
    pub head: Head,
    /// The commit of each change, in the changes' order; `None` if the index had the content already.
    pub commits: Vec<Option<Oid>>,
}

impl Index {
    /// Locks the index for writing, waiting until no other writer has the lock. It is released when the [`Writer`] is
    /// dropped or the process ends.
    pub fn lock_writer(&self) -> Result<Writer, IndexError> {
        Ok(Writer::new(self.clone(), self.lock(LOCK)?))
    }

    /// Locks the index for writing, waiting no longer than `patience`: a fetch from a slow remote holds the lock for
    /// long.
    pub fn lock_writer_within(&self, patience: Duration) -> Result<Writer, IndexError> {
        let begin = Instant::now();
        loop {
            if let Some(writer) = self.try_lock_writer()? {
                return Ok(writer);
            }
            if begin.elapsed() >= patience {
                return Err(IndexError::WriterBusy { path: self.path().to_owned(), waited: patience });
            }
            std::thread::sleep(LOCK_POLL);
        }
    }

    /// Locks the index for writing; `None` if another writer has the lock.
    pub fn try_lock_writer(&self) -> Result<Option<Writer>, IndexError> {
        Ok(self.try_lock(LOCK)?.map(|file| Writer::new(self.clone(), file)))
    }
}

impl Writer {
    pub(super) fn new(index: Index, lock: File) -> Writer {
        Writer { index, _lock: lock }
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Commits the changes on top of `base`: one commit for each change that differs, in order, and one move of the
    /// branch for all. When this returns, they are on the disk and visible to every reader; a remote has confirmed them
    /// before.
    ///
    /// # Errors
    ///
    /// [`IndexError::HeadMoved`] if `base` is no longer the head, here or at the remote: read, render and commit again.
    /// After any error the index is unchanged or, with a remote, as the remote has it. If a push failed in another way,
    /// its outcome is unknown.
    pub fn commit(&self, base: &Head, changes: &[Change]) -> Result<Committed, IndexError> {
        let patience = self.index.remote().map_or(Duration::ZERO, Remote::limit);
        self.commit_before(base, changes, Instant::now() + patience)
    }

    /// Like [`Writer::commit`], with a deadline for the push.
    pub fn commit_before(&self, base: &Head, changes: &[Change], until: Instant) -> Result<Committed, IndexError> {
        for change in changes {
            change.check_path()?;
        }
        let repository = self.index.open_handle()?;
        expect_head(&repository, &self.index, base)?;
        let (tip, commits) = self.in_one_pack(&repository, |repository, path| {
            let mut batch = Batch::new(repository, path, base.commit)?;
            let commits = changes.iter().map(|change| batch.apply(change)).collect::<Result<Vec<_>, _>>()?;
            let tip = batch.tip().filter(|tip| Some(*tip) != base.commit);
            if tip.is_some() {
                batch.write_pack()?;
            }
            Ok((tip, commits))
        })?;
        let Some(tip) = tip else {
            return Ok(Committed { head: *base, commits });
        };
        fault::point("index.pack")?;
        match self.index.remote() {
            Some(remote) => self.land(remote, base, tip, until)?,
            None => {
                let count = commits.iter().flatten().count();
                move_branch(&repository, &self.index, base, tip, &format!("commit: {count} changes"))?;
                fault::point("index.ref")?;
            }
        }
        Ok(Committed { head: Head { commit: Some(tip) }, commits })
    }

    /// Calls `write` with a repository that collects new objects in memory, for `write` to store as a pack.
    pub(super) fn in_one_pack<T>(
        &self,
        repository: &Repository,
        write: impl FnOnce(&Repository, &Path) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let path = self.index.path();
        let database = repository.odb().map_err(IndexError::git("open the objects", path))?;
        let memory = database
            .add_new_mempack_backend(MEMPACK_PRIORITY)
            .map_err(IndexError::git("make a pack in memory", path))?;
        let written = write(repository, path)?;
        // From here on, the objects are read from the disk, as by every other process.
        memory.reset().and_then(|()| database.refresh()).map_err(IndexError::git("read the new pack", path))?;
        Ok(written)
    }
}

/// Moves the branch from `base` to `tip`. After an error the branch is unchanged.
pub(super) fn move_branch(
    repository: &Repository,
    index: &Index,
    base: &Head,
    tip: Oid,
    log: &str,
) -> Result<(), IndexError> {
    let start = Instant::now();
    let branch = branch::real(repository).map_err(IndexError::git("read the branch", index.path()))?;
    loop {
        let moved = match base.commit {
            Some(old) => repository.reference_matching(&branch, tip, true, old, log),
            None => repository.reference(&branch, tip, false, log),
        };
        let Err(error) = moved else { return Ok(()) };
        match error.code() {
            ErrorCode::Modified | ErrorCode::Exists | ErrorCode::NotFound => {
                expect_head(repository, index, base)?;
                return Err(IndexError::git("move the branch", index.path())(error));
            }
            ErrorCode::Locked if start.elapsed() < BRANCH_LOCK_WAIT => std::thread::sleep(Duration::from_millis(10)),
            ErrorCode::Locked => {
                let path = index.path().join(format!("{branch}.lock"));
                return Err(IndexError::BranchLocked { path, waited: BRANCH_LOCK_WAIT });
            }
            _ => return Err(IndexError::git("move the branch", index.path())(error)),
        }
    }
}

pub(super) fn expect_head(repository: &Repository, index: &Index, base: &Head) -> Result<(), IndexError> {
    let found = optional(repository.refname_to_id(MAIN)).map_err(IndexError::git("read the branch", index.path()))?;
    if found == base.commit { Ok(()) } else { Err(IndexError::HeadMoved { expected: base.commit, found }) }
}
