//! Counts downloads in memory until they are written to the database.
//!
//! A response adds to a table in memory and does not wait. A background thread writes the table to the database every few
//! seconds. Counts that could not be written, because the database was unavailable, are written the next time. The table is
//! bounded: when it is full, downloads of versions that are not in it are not counted, and a metric counts those.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{NaiveDate, Utc};
use parking_lot::Mutex;

use crate::database::catalog::downloads::{self, OfDay};
use crate::database::{Pool, PoolError};

/// Counter of downloads.
pub const DOWNLOADS: &str = "supercargo_downloads_total";
/// Counter of downloads that were not counted because the table was full.
pub const UNCOUNTED: &str = "supercargo_downloads_uncounted_total";
/// Gauge of downloads that are not in the database yet.
pub const WAITING: &str = "supercargo_downloads_waiting";

/// The largest number of entries (a version on a day), about 50 bytes each.
const MAX_ENTRIES: usize = 200_000;
/// Rows of one statement. Processes lock rows in the same order, and only for a short time.
const BATCH: usize = 5_000;

/// Downloads by version and day. Clones share one table.
#[derive(Clone, Default)]
pub struct DownloadCounts {
    waiting: Arc<Mutex<HashMap<(i32, NaiveDate), i64>>>,
}

/// The counts could not be written to the database. They are kept.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

impl DownloadCounts {
    /// Describes the metrics.
    pub fn describe() {
        metrics::describe_counter!(DOWNLOADS, "Downloads of crate files that this process served");
        metrics::describe_counter!(
            UNCOUNTED,
            "Downloads that were not counted because the database was unavailable for too long"
        );
        metrics::describe_gauge!(WAITING, "Downloads that are not written to the database yet");
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
        let has_room = waiting.len() < MAX_ENTRIES;
        match waiting.get_mut(&(counted.version_id, counted.day)) {
            Some(downloads) => *downloads += counted.downloads,
            None if has_room => {
                waiting.insert((counted.version_id, counted.day), counted.downloads);
            }
            None => metrics::counter!(UNCOUNTED).increment(counted.downloads.cast_unsigned()),
        }
    }

    /// Downloads that are not in the database yet.
    pub fn waiting(&self) -> i64 {
        self.waiting.lock().values().sum()
    }

    /// Writes the counts to the database. If this fails, counts that are not written are kept.
    ///
    /// # Errors
    ///
    /// A [`CountError`] if the database is unavailable.
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
