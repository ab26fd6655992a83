//! Keeps the mirror of the index's remote up to date, in every process: whoever serves from it, and whoever stands by to
//! write it.
//!
//! What a batch of this registry pushed is announced by the commit that noted it, so a look at the database tells at once,
//! and cheaply, whether there is something to fetch. What others pushed is found by asking the remote now and then. Both
//! are looked for again and again: an announcement that was lost costs time and nothing else.

use std::time::{Duration, Instant};

use crate::database::Pool;
use crate::database::upkeep::index_state;
use crate::index::{Index, IndexError, Oid, Remote};
use crate::queue::JobError;

/// The pause after a failure; it doubles up to the interval of polling.
const RETRY: Duration = Duration::from_millis(500);

/// How long another process may have the right to write the mirror.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// How long the database is waited for.
const DATABASE_PATIENCE: Duration = Duration::from_secs(3);

/// A thread that follows the remote. Dropping it lets it end; a fetch that is under way ends with the process.
pub struct Follower {
    remote: Remote,
}

impl Follower {
    /// Starts to follow. `prepare` is done after the first look, as often as it takes.
    pub fn start(
        index: &Index,
        remote: &Remote,
        pool: &Pool,
        poll: Duration,
        prepare: impl FnMut() -> Result<(), IndexError> + Send + 'static,
    ) -> std::io::Result<Self> {
        let mut following = Following {
            index: index.clone(),
            remote: remote.clone(),
            pool: pool.clone(),
            poll,
            prepare: Some(Box::new(prepare)),
            asked_at: None,
            has_fetched: false,
            followed: None,
            failures: 0,
            unprepared: 0,
        };
        remote.fetch_requests().request();
        std::thread::Builder::new().name("follower".to_owned()).spawn(move || following.follow())?;
        Ok(Self { remote: remote.clone() })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.remote.fetch_requests().stop();
    }
}

struct Following {
    index: Index,
    remote: Remote,
    pool: Pool,
    poll: Duration,
    /// What is left to be done once.
    prepare: Option<Box<dyn FnMut() -> Result<(), IndexError> + Send>>,
    /// When the remote was last asked.
    asked_at: Option<Instant>,
    has_fetched: bool,
    /// The noted head that was last followed. A mirror that is newer, or whose history was squashed, need not have it.
    followed: Option<String>,
    failures: u32,
    /// How often what is to be done once has failed.
    unprepared: u32,
}

impl Following {
    fn follow(&mut self) {
        loop {
            let pause = match self.failures + self.unprepared {
                0 => self.poll.saturating_sub(self.asked_at.map_or(self.poll, |asked| asked.elapsed())),
                failures => RETRY.saturating_mul(1 << (failures - 1).min(10)).min(self.poll),
            };
            let Some(number) = self.remote.fetch_requests().next(pause) else { return };
            match self.look() {
                Ok(()) => {
                    if self.failures > 0 {
                        tracing::info!(remote = self.remote.url(), "the index follows its remote again");
                    }
                    self.failures = 0;
                    self.remote.fetch_requests().complete(number);
                    self.prepare();
                    self.maintain();
                }
                Err(error) => {
                    self.failures += 1;
                    // Once an outage, and again when it has lasted.
                    if self.failures.is_power_of_two() {
                        tracing::warn!(failures = self.failures, %error, "the index can't follow its remote; it goes on trying");
                    }
                }
            }
        }
    }

    fn look(&mut self) -> Result<(), JobError> {
        let noted = self.noted();
        let head = noted.as_ref().ok().cloned().flatten();
        let is_behind = match &head {
            Some(head) if self.followed.as_ref() != Some(head) => !self.has(head)?,
            _ => false,
        };
        if is_behind || !self.has_fetched {
            self.fetch()?;
        } else if self.asked_at.is_none_or(|asked| asked.elapsed() >= self.poll) {
            self.asked_at = Some(Instant::now());
            if self.remote.head()? != self.index.head()?.commit {
                self.fetch()?;
            }
        }
        if head.is_some() {
            self.followed = head;
        }
        noted.map(drop)
    }

    /// The head that the last batch noted.
    fn noted(&self) -> Result<Option<String>, JobError> {
        let read = self.pool.with_within(DATABASE_PATIENCE, index_state::read);
        Ok(read.map_err(JobError::failed)?.map_err(JobError::failed)?.head.filter(|head| !head.is_empty()))
    }

    fn has(&self, head: &str) -> Result<bool, IndexError> {
        Oid::from_str(head).map_or(Ok(true), |head| self.index.contains(head))
    }

    fn fetch(&mut self) -> Result<(), IndexError> {
        let before = self.index.head()?;
        if before.commit.is_none() {
            tracing::info!(
                remote = self.remote.url(),
                "fetching the index; until it is here, readers are told to wait"
            );
        }
        self.asked_at = Some(Instant::now());
        let after = self.index.lock_writer_within(LOCK_PATIENCE)?.catch_up(&self.remote)?;
        self.has_fetched = true;
        if before != after {
            tracing::debug!(head = ?after.commit, "the index followed its remote");
        }
        Ok(())
    }

    /// What is left to be done once. Readers and followers don't wait for it: a machine may be allowed to read only.
    fn prepare(&mut self) {
        let Some(prepare) = &mut self.prepare else { return };
        match prepare() {
            Ok(()) => (self.prepare, self.unprepared) = (None, 0),
            Err(error) => {
                self.unprepared += 1;
                if self.unprepared.is_power_of_two() {
                    let failures = self.unprepared;
                    tracing::warn!(failures, %error, "config.json can't be brought up to date at the remote; it goes on trying");
                }
            }
        }
    }

    /// Each fetch adds a pack, and the job that merges packs runs on one machine only.
    fn maintain(&self) {
        let maintained = self.index.needs_maintenance().and_then(|needed| match needed {
            true => self.index.try_lock_maintenance()?.map(|maintainer| maintainer.maintain()).transpose(),
            false => Ok(None),
        });
        if let Err(error) = maintained {
            tracing::warn!(%error, "the packs of the index could not be merged");
        }
    }
}
