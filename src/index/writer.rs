//! Writing the index.
//!
//! A commit has these steps: check that the head is still the one that the changes are based on; build the commits in
//! memory; write them as one synced pack; move the branch by compare-and-swap, which is synced too. A process that is
//! killed before the last step leaves an unreferenced pack and lock or temporary files, which
//! [`Writer::clean_leftovers`] removes. The write lock excludes a second writer. The compare-and-swap is safe even
//! where the lock does not work: on a network disk without locks, or against an operator's `git commit`.

use std::fs::File;
use std::time::{Duration, Instant};

use git2::{ErrorCode, Oid, Repository};

use super::batch::Batch;
use super::branch::{self, NewHead, Unmoved};
use super::change::Change;
use super::error::IndexError;
use super::remote::Remote;
use super::repository::{Head, Index};
use crate::fault;

/// The file whose lock a writer holds.
const LOCK: &str = "supercargo-writer.lock";

/// Pause between attempts to lock it within a time limit.
const LOCK_POLL: Duration = Duration::from_millis(2);

/// The time limit for waiting for a lock file of the branch.
const BRANCH_LOCK_WAIT: Duration = Duration::from_secs(2);

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
        expect_head(&self.index, base)?;
        let mut batch = Batch::new(&self.index, base.commit)?;
        let commits = changes.iter().map(|change| batch.apply(change)).collect::<Result<Vec<_>, _>>()?;
        let Some(tip) = batch.tip().filter(|tip| Some(*tip) != base.commit) else {
            branch::flush(self.index.path()).map_err(IndexError::file("flush the branch in", self.index.path()))?;
            return Ok(Committed { head: *base, commits });
        };
        match self.index.remote() {
            Some(remote) => self.push_batch(remote, batch, base, tip, until)?,
            None => self.place_batch(batch, base, tip, commits.iter().flatten().count())?,
        }
        Ok(Committed { head: Head { commit: Some(tip) }, commits })
    }

    /// Makes a batch durable at the remote and here.
    pub(super) fn push_batch(
        &self,
        remote: &Remote,
        batch: Batch<'_>,
        base: &Head,
        tip: Oid,
        until: Instant,
    ) -> Result<(), IndexError> {
        let placed = batch.write_pack(None)?;
        fault::point("index.pack")?;
        self.land(remote, base, tip, until)?;
        self.index.trees().adopt(placed.moved());
        Ok(())
    }

    /// Makes a batch durable and moves the branch to it.
    fn place_batch(&self, batch: Batch<'_>, base: &Head, tip: Oid, count: usize) -> Result<(), IndexError> {
        let path = self.index.path();
        // A first commit makes the branch.
        let new = base.commit.and_then(|_| NewHead::write(path, tip).transpose()).transpose();
        let new = new.map_err(IndexError::file("write the branch's next value in", path))?;
        let placed = batch.write_pack(new.as_ref().map(NewHead::file))?;
        fault::point("index.pack")?;
        match new {
            Some(new) if place_branch(&self.index, base, &new)? => {}
            _ => {
                let repository = self.index.open_handle()?;
                move_branch(&repository, &self.index, base, tip, &format!("commit: {count} changes"))?;
            }
        }
        fault::point("index.ref")?;
        self.index.trees().adopt(placed.moved());
        Ok(())
    }
}

/// Moves the branch from `base` to its next value; false if the disk does not support that. After an error the branch is
/// unchanged, unless the error is that of the last flush.
fn place_branch(index: &Index, base: &Head, new: &NewHead) -> Result<bool, IndexError> {
    let start = Instant::now();
    loop {
        match new.place(|| expect_head(index, base).is_ok()) {
            Ok(()) => return Ok(true),
            Err(Unmoved::NoLinks) => return Ok(false),
            Err(Unmoved::Refused) => {
                expect_head(index, base)?;
            }
            Err(Unmoved::Locked) if start.elapsed() < BRANCH_LOCK_WAIT => std::thread::sleep(Duration::from_millis(10)),
            Err(Unmoved::Locked) => {
                return Err(IndexError::BranchLocked { path: new.lock(), waited: BRANCH_LOCK_WAIT });
            }
            Err(Unmoved::Failed(error)) => return Err(IndexError::file("move the branch", index.path())(error)),
        }
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
                expect_head(index, base)?;
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

fn expect_head(index: &Index, base: &Head) -> Result<(), IndexError> {
    let found = index.head()?.commit;
    if found == base.commit { Ok(()) } else { Err(IndexError::HeadMoved { expected: base.commit, found }) }
}
