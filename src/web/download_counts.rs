//! Downloads that were answered and are not in the database yet.
//!
//! An answer adds to a table in memory and waits for nothing. Somebody else moves what gathered there into the database
//! every few seconds, in one statement. What could not be moved, because the database was away, is moved with the next.
//! The table is bounded: beyond the bound downloads of versions that are not in it yet go uncounted, and that is counted.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{NaiveDate, Utc};
use parking_lot::Mutex;

use crate::database::catalog::downloads::{self, OfDay};
use crate::database::{Pool, PoolError};

/// The counter of downloads that were answered.
pub const DOWNLOADS: &str = "supercargo_downloads_total";
/// The counter of downloads that were answered and not counted, for want of room.
pub const UNCOUNTED: &str = "supercargo_downloads_uncounted_total";
/// The gauge of downloads that are not in the database yet.
pub const WAITING: &str = "supercargo_downloads_waiting";

/// Versions and days in memory at most, some 50 bytes each.
const MOST: usize = 200_000;
/// Rows of one statement. Several processes lock their rows in order, and none of them for long.
const BATCH: usize = 5_000;

/// Downloads by version and day. Clones are one table.
#[derive(Clone, Default)]
pub struct DownloadCounts {
    waiting: Arc<Mutex<HashMap<(i32, NaiveDate), i64>>>,
}

/// Why downloads could not be moved into the database. They are kept.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

impl DownloadCounts {
    /// Tells what the measurements mean.
    pub fn describe() {
        metrics::describe_counter!(DOWNLOADS, "Downloads of crate files that this process answered");
        metrics::describe_counter!(
            UNCOUNTED,
            "Downloads that go uncounted because the database has been away too long"
        );
        metrics::describe_gauge!(WAITING, "Downloads that are answered and not in the database yet");
    }

    /// Counts a download.
    pub fn add(&self, version_id: i32) {
        self.add_at(version_id, Utc::now().date_naive());
    }

    fn add_at(&self, version_id: i32, day: NaiveDate) {
        metrics::counter!(DOWNLOADS).increment(1);
        self.put(&OfDay { version_id, day, downloads: 1 });
    }

    fn put(&self, counted: &OfDay) {
        let mut waiting = self.waiting.lock();
        let room = waiting.len() < MOST;
        match waiting.get_mut(&(counted.version_id, counted.day)) {
            Some(downloads) => *downloads += counted.downloads,
            None if room => {
                waiting.insert((counted.version_id, counted.day), counted.downloads);
            }
            None => metrics::counter!(UNCOUNTED).increment(counted.downloads.cast_unsigned()),
        }
    }

    /// Downloads that are not in the database yet.
    pub fn waiting(&self) -> i64 {
        self.waiting.lock().values().sum()
    }

    /// Moves what gathered into the database. What is not there when this fails is kept.
    ///
    /// # Errors
    ///
    /// A [`CountError`] if the database is away.
    pub fn flush(&self, pool: &Pool) -> Result<(), CountError> {
        let gathered = std::mem::take(&mut *self.waiting.lock());
        let mut gathered: Vec<OfDay> =
            gathered.into_iter().map(|((version_id, day), downloads)| OfDay { version_id, day, downloads }).collect();
        gathered.sort_by_key(|one| (one.version_id, one.day));
        let mut outcome = Ok(());
        for batch in gathered.chunks(BATCH) {
            if outcome.is_ok() {
                outcome = add(pool, batch);
            }
            if outcome.is_err() {
                batch.iter().for_each(|one| self.put(one));
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 downloads within seconds")]
        metrics::gauge!(WAITING).set(self.waiting() as f64);
        outcome
    }
}

fn add(pool: &Pool, batch: &[OfDay]) -> Result<(), CountError> {
    pool.with(|connection| downloads::add(connection, batch))??;
    Ok(())
}
