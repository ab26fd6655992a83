//! Writing the index through the remote: fetches and pushes of the holder of the write lock.

use std::time::{Duration, Instant};

use git2::{Oid, Repository};

use super::Remote;
use super::push::Pushed;
use crate::fault;
use crate::index::batch::Batch;
use crate::index::error::{IndexError, optional};
use crate::index::repository::{Head, Index};
use crate::index::writer::{Writer, move_branch};
use crate::redact;

/// The repository's setting that names the remote that it follows.
const FOLLOWED: &str = "supercargo.remote";

/// The time limit for the first fetch, of the whole index. Measured: 19 s for 200,000 crates over HTTP.
const CLONE_LIMIT: Duration = Duration::from_secs(1800);

impl Writer {
    /// Pushes a commit that is based on `base` and then moves the local branch to it.
    ///
    /// # Errors
    ///
    /// [`IndexError::HeadMoved`] if the remote's branch was at another commit. It has been fetched, so the local head
    /// is new.
    pub(in crate::index) fn land(
        &self,
        remote: &Remote,
        base: &Head,
        tip: Oid,
        until: Instant,
    ) -> Result<(), IndexError> {
        let repository = self.index.open_handle()?;
        match remote.push(self.index.path(), tip, within(remote, until))? {
            Pushed::Landed => {
                fault::point("index.pushed")?;
                self.move_mirror(&repository, base, tip, "push: confirmed by the remote")?;
                remember(&repository, &self.index, remote)?;
                fault::point("index.ref")?;
                Ok(())
            }
            Pushed::Moved => {
                let found = self.fetch_within(remote, within(remote, until))?;
                Err(IndexError::HeadMoved { expected: base.commit, found: found.commit })
            }
        }
    }

    /// Fetches from the remote, moves the local branch and returns the head afterwards. The first fetch has a time
    /// limit of half an hour. If the remote does not have the branch, the local index is pushed to it.
    pub fn catch_up(&self, remote: &Remote) -> Result<Head, IndexError> {
        let limit = if self.index.head()?.commit.is_none() { CLONE_LIMIT } else { remote.limit() };
        self.fetch_within(remote, limit)
    }

    /// Like [`Writer::catch_up`], with a deadline. The first fetch may take long and is left to the follower.
    pub fn catch_up_before(&self, remote: &Remote, until: Instant) -> Result<Head, IndexError> {
        if self.index.head()?.commit.is_none() && remote.head()?.is_some() {
            return Err(IndexError::BeingFetched { url: remote.url() });
        }
        self.fetch_within(remote, within(remote, until))
    }

    /// Confirms that the remote is at `base` when no push has shown that. If a push with an unknown outcome may still
    /// be in flight (`settle`), an empty commit is pushed: after it, the other push is not a fast-forward and cannot
    /// succeed.
    ///
    /// # Errors
    ///
    /// [`IndexError::HeadMoved`] if the remote was at another commit; the local head is new.
    pub fn confirm(&self, remote: &Remote, base: &Head, settle: bool, until: Instant) -> Result<(), IndexError> {
        let found = self.catch_up_before(remote, until)?;
        if found != *base {
            return Err(IndexError::HeadMoved { expected: base.commit, found: found.commit });
        }
        if !settle || base.commit.is_none() {
            return Ok(());
        }
        let mut batch = Batch::new(&self.index, base.commit)?;
        let tip = batch.settle("Settle a push of unknown outcome");
        self.push_batch(remote, batch, base, tip, until)
    }

    fn fetch_within(&self, remote: &Remote, limit: Duration) -> Result<Head, IndexError> {
        let path = self.index.path();
        let repository = self.index.open_handle()?;
        let here = self.index.head()?;
        let there = self.fetch_past_locks(remote, &repository, limit)?;
        if there != here.commit {
            self.index.packs().note_new();
        }
        match (here.commit, there) {
            (None, None) => return Ok(here),
            // The remote is new or was created again.
            (Some(commit), None) => match remote.push(path, commit, limit)? {
                Pushed::Landed => {
                    tracing::info!(remote = remote.url(), "pushed this index to the remote, which had none")
                }
                Pushed::Moved => {
                    return Err(remote.failed("push to", "another process pushed first; it will be retried"));
                }
            },
            (here, Some(there)) if here == Some(there) => {}
            (None, Some(there)) => {
                self.move_mirror(&repository, &Head { commit: None }, there, "fetch: first")?;
            }
            (Some(commit), Some(there)) => {
                self.expect_related(&repository, remote, commit, there)?;
                self.move_mirror(&repository, &Head { commit: Some(commit) }, there, "fetch: moved")?;
            }
        }
        remember(&repository, &self.index, remote)?;
        self.index.head()
    }

    /// Fetches. If that fails and a killed git has left locks, removes them and fetches again.
    fn fetch_past_locks(
        &self,
        remote: &Remote,
        repository: &Repository,
        limit: Duration,
    ) -> Result<Option<Oid>, IndexError> {
        let path = self.index.path();
        remote.fetch(path, repository, limit).or_else(|error| {
            let removed = self.clean_beside_batch()?;
            let locks: Vec<_> =
                removed.iter().filter(|path| path.extension().is_some_and(|end| end == "lock")).collect();
            if locks.is_empty() {
                return Err(error);
            }
            tracing::warn!(?locks, "removed locks that a killed git left in the index");
            remote.fetch(path, repository, limit)
        })
    }

    /// Moves the branch. Since this process holds the write lock, a remaining lock file of the branch was left by a
    /// killed process and is removed.
    fn move_mirror(&self, repository: &Repository, base: &Head, tip: Oid, log: &str) -> Result<(), IndexError> {
        match move_branch(repository, &self.index, base, tip, log) {
            Err(IndexError::BranchLocked { path, .. }) => {
                self.clean_beside_batch()?;
                tracing::warn!(path = %path.display(), "removed a lock that a killed writer left in the index");
                move_branch(repository, &self.index, base, tip, log)
            }
            moved => moved,
        }
    }

    /// Checks that no local commit is lost: an index that has not followed this remote may have commits that it lacks.
    fn expect_related(
        &self,
        repository: &Repository,
        remote: &Remote,
        here: Oid,
        there: Oid,
    ) -> Result<(), IndexError> {
        let path = self.index.path();
        if followed(repository, &self.index)?.as_deref() == Some(&*name_of(remote)) {
            return Ok(());
        }
        let contains = repository.graph_descendant_of(there, here).map_err(IndexError::git("compare commits", path))?;
        if contains {
            return Ok(());
        }
        Err(IndexError::RemoteUnrelated {
            path: path.to_owned(),
            url: remote.url(),
            branch: remote.branch().to_owned(),
        })
    }
}

impl Index {
    /// Fails if the index follows a remote.
    pub fn expect_no_remote(&self) -> Result<(), IndexError> {
        match followed(&self.open_handle()?, self)? {
            None => Ok(()),
            Some(url) => Err(IndexError::RemoteForgotten { path: self.path().to_owned(), url: redact::userinfo(&url) }),
        }
    }

    /// Whether the mirror is empty because its first fetch has not ended.
    pub fn is_being_fetched(&self) -> Result<bool, IndexError> {
        Ok(self.remote().is_some() && self.head()?.commit.is_none())
    }

    /// Whether the branch contains a commit.
    pub fn contains(&self, commit: Oid) -> Result<bool, IndexError> {
        let Some(head) = self.head()?.commit else { return Ok(false) };
        if head == commit {
            return Ok(true);
        }
        let repository = self.open_handle()?;
        let known = optional(repository.find_commit(commit)).map_err(IndexError::git("find a commit", self.path()))?;
        let descends = |_| repository.graph_descendant_of(head, commit);
        Ok(known.map(descends).transpose().map_err(IndexError::git("compare commits", self.path()))?.unwrap_or(false))
    }
}

fn within(remote: &Remote, until: Instant) -> Duration {
    remote.limit().min(until.saturating_duration_since(Instant::now()))
}

fn name_of(remote: &Remote) -> String {
    format!("{} {}", remote.url(), remote.branch())
}

fn followed(repository: &Repository, index: &Index) -> Result<Option<String>, IndexError> {
    let failed = |error| IndexError::git("read the configuration", index.path())(error);
    let config = repository.config().and_then(|mut config| config.snapshot()).map_err(failed)?;
    optional(config.get_string(FOLLOWED)).map_err(failed)
}

/// Records the remote that the index follows, so that no process writes the index without it.
fn remember(repository: &Repository, index: &Index, remote: &Remote) -> Result<(), IndexError> {
    let name = name_of(remote);
    if followed(repository, index)?.as_deref() == Some(&*name) {
        return Ok(());
    }
    let mut config = repository.config().map_err(IndexError::git("write the configuration", index.path()))?;
    config.set_str(FOLLOWED, &name).map_err(IndexError::git("write the configuration", index.path()))
}
