//! What the machines of an installation share of one upstream: its index files, and who asks for a file.
//!
//! A machine that needs a file from the upstream takes its lease. The others wait until the lease ends, and read what there is then.
//! A lease is renewed while its machine asks, and ends ten seconds after the machine has died. While an upstream is asked, no
//! transaction is open. Without the database each machine asks for itself.
//!
//! | file | content |
//! |---|---|
//! | `database` | statements, few at a time and with a time limit |
//! | `lease` | leases that this process holds |
//! | `waiting` | those of others that it waits for |

mod database;
mod lease;
mod waiting;

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::PgConnection;
use tokio::runtime::Handle;

use crate::database::upstream_sharing::requests::Seen;
use crate::upstream_cache::kept_file::{KeptFile, Known};
use crate::upstream_cache::shared_file::{self, SharedFile, SharedFileError};

pub use database::SharedDatabase;
pub use lease::Lease;
use lease::Leases;
use waiting::Waiting;

/// What this process shares with others about one upstream.
pub struct Sharing {
    upstream: Arc<str>,
    database: Arc<SharedDatabase>,
    leases: Arc<Leases>,
    waiting: Arc<Waiting>,
}

/// Whether this process asks for a file.
pub enum Turn {
    /// It does. Without a lease the database is away, or another machine takes too long.
    Ask(Option<(Lease, Seen)>),
    /// Another one has asked a moment ago.
    Asked(Seen),
}

/// What came of the request for the lease of a crate file.
pub enum CrateFileTurn {
    Taken(Lease),
    /// Another process has it.
    Leased,
    /// The database is away.
    Away,
}

impl Sharing {
    pub fn new(upstream: &str, database: Arc<SharedDatabase>, runtime: Handle) -> Self {
        Self {
            upstream: upstream.into(),
            leases: Arc::new(Leases::new(upstream, Arc::clone(&database), runtime.clone())),
            waiting: Arc::new(Waiting::new(upstream, Arc::clone(&database), runtime)),
            database,
        }
    }

    /// Takes the lease for a file whose last answer is at least so old. Waits at most so long for another process that has it.
    pub async fn turn(&self, subject: &str, age: Duration, patience: Duration) -> Turn {
        let until = Instant::now() + patience;
        loop {
            let Some((lease, seen)) = self.leases.take(subject, age).await else { return Turn::Ask(None) };
            if let Some(lease) = lease {
                return Turn::Ask(Some((lease, seen)));
            }
            if seen.is_recent(age) {
                return Turn::Asked(seen);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.waiting.until_released(subject, left).await.is_err() {
                return Turn::Ask(None);
            }
        }
    }

    /// Takes the lease for a crate file.
    pub async fn lease_of_crate_file(&self, checksum: &str) -> CrateFileTurn {
        match self.leases.take(checksum, Duration::ZERO).await {
            None => CrateFileTurn::Away,
            Some((Some(lease), _)) => CrateFileTurn::Taken(lease),
            Some((None, _)) => CrateFileTurn::Leased,
        }
    }

    /// Waits until no process has the lease of a file, but not longer than this.
    pub async fn released(&self, subject: &str, longest: Duration) {
        // In vain or not: the caller looks at what there is.
        let _ = self.waiting.until_released(subject, longest).await;
    }

    /// The file at a path of the index. The outer None: the database is away.
    pub async fn read(&self, path: &str) -> Option<Option<SharedFile>> {
        let (upstream, path) = (Arc::clone(&self.upstream), path.to_owned());
        self.database.run(move |connection| shared_file::read(connection, &upstream, &path)).await
    }

    /// Writes a file in place of the one with this revision, or of none. What is in the database then, and its revision: another file if
    /// another machine was faster. None if the database is away.
    pub async fn write(&self, path: &str, file: &KeptFile, former: Option<i64>) -> Option<(KeptFile, i64)> {
        let (upstream, path, file) = (Arc::clone(&self.upstream), path.to_owned(), file.clone());
        self.database.run(move |connection| write(connection, (&upstream, &path), file, former)).await
    }

    /// Notes that a file was confirmed.
    pub async fn note(&self, path: &str, revision: i64, known: Known) {
        let (upstream, path) = (Arc::clone(&self.upstream), path.to_owned());
        let noted =
            self.database.run(move |connection| shared_file::note(connection, (&upstream, &path), revision, &known));
        // It is noted the next time.
        let _ = noted.await;
    }
}

fn write(
    connection: &mut PgConnection,
    (upstream, path): (&str, &str),
    mut file: KeptFile,
    mut former: Option<i64>,
) -> Result<(KeptFile, i64), SharedFileError> {
    loop {
        if let Some(revision) = shared_file::write(connection, (upstream, path), &file, former)? {
            return Ok((file, revision));
        }
        match shared_file::read(connection, upstream, path)? {
            // Removed in between.
            None => former = None,
            Some(SharedFile { file: None, revision }) => former = Some(revision),
            Some(SharedFile { file: Some(other), revision }) if is_newer(&other, &file, former) => {
                return Ok((other, revision));
            }
            Some(SharedFile { file: Some(other), revision }) => {
                let validators = (file.known.etag.clone(), file.known.last_modified.clone());
                file = KeptFile::sent(file.content, validators, Some(&other));
                former = Some(revision);
            }
        }
    }
}

/// Whether a file of another machine stays: it replaced what this one began with, or was sent later.
fn is_newer(other: &KeptFile, file: &KeptFile, former: Option<i64>) -> bool {
    former.is_some() || other.known.checked_at >= file.known.checked_at
}
