//! An index file of an upstream in memory, and as it is shown.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use quick_cache::Weighter;

use crate::index::{IndexError, Oid, blob_id};
use crate::upstream_cache::kept_file::{KeptFile, Stamp};
use crate::upstream_cache::verdict::{Policy, Shown, shown};

/// A file as it was shown, and by what.
struct LastShown {
    id: Oid,
    shown: Shown,
    policy: Policy,
    /// The number of what it was judged by: see `judging`.
    decided: u64,
}

impl LastShown {
    fn is_of_age(&self, now: DateTime<Utc>) -> bool {
        self.shown.until.is_none_or(|until| until > now)
    }
}

/// An index file in memory.
pub struct IndexFile {
    pub file: KeptFile,
    /// Its revision in the database; None if it is not there.
    pub(super) revision: Option<i64>,
    /// That of the file on the disk which it came from, or which it became.
    pub(super) stamp: Option<Stamp>,
    /// When the upstream last confirmed it, in milliseconds.
    checked_at: AtomicI64,
    /// Since when the upstream says that there is no such file.
    pub(super) absent_since: Mutex<Option<Instant>>,
    /// As it was last shown.
    shown: Mutex<Option<LastShown>>,
}

/// Counts bytes.
#[derive(Clone)]
pub(super) struct ByWeight;

impl Weighter<String, Arc<IndexFile>> for ByWeight {
    fn weight(&self, path: &String, file: &Arc<IndexFile>) -> u64 {
        (path.len() + file.file.content.len() + 256) as u64
    }
}

impl IndexFile {
    pub(super) fn new(file: KeptFile, revision: Option<i64>) -> Self {
        let checked_at = AtomicI64::new(file.known.checked_at.timestamp_millis());
        let (absent_since, shown) = (Mutex::default(), Mutex::default());
        Self { file, revision, stamp: None, checked_at, absent_since, shown }
    }

    /// The same, which came from a file on the disk, or became one.
    pub(super) fn stamped(self, stamp: Option<Stamp>) -> Self {
        Self { stamp, ..self }
    }

    /// How long ago the upstream confirmed it. A clock that was set back makes it old.
    pub(super) fn age(&self) -> Duration {
        let milliseconds = Utc::now().timestamp_millis() - self.checked_at.load(Ordering::Relaxed);
        u64::try_from(milliseconds).map_or(Duration::MAX, Duration::from_millis)
    }

    /// Whether the clock was set back since it was confirmed.
    pub(super) fn is_of_the_future(&self) -> bool {
        self.checked_at.load(Ordering::Relaxed) > Utc::now().timestamp_millis()
    }

    /// Whether it stands for a file that is gone, whose versions are remembered.
    pub(super) fn is_of_no_version(&self) -> bool {
        self.file.content.is_empty()
    }

    /// Notes that the upstream confirmed it so long ago.
    pub(super) fn confirm(&self, age: Duration) {
        let age = age.as_millis().try_into().unwrap_or(i64::MAX);
        self.checked_at.store(Utc::now().timestamp_millis().saturating_sub(age), Ordering::Relaxed);
        *self.absent_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Its bytes as they are shown now, and their id.
    pub fn shown(&self, (policy, decided): (Policy, u64)) -> Result<(Oid, Bytes), IndexError> {
        let mut last = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Utc::now();
        if let Some(last) = last.as_mut().filter(|last| last.policy == policy && last.is_of_age(now)) {
            last.decided = decided;
            return Ok((last.id, last.shown.content.clone()));
        }
        let shown = shown(&self.file, &policy, now);
        let id = blob_id(&shown.content)?;
        let content = shown.content.clone();
        *last = Some(LastShown { id, shown, policy, decided });
        Ok((id, content))
    }

    /// The same if it was shown before, and nothing was decided since. Does not compute anything.
    pub fn shown_before(&self, decided: u64) -> Option<(Oid, Bytes)> {
        let last = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref().filter(|last| last.decided == decided && last.is_of_age(Utc::now()))?;
        Some((last.id, last.shown.content.clone()))
    }
}
