//! An index file of an upstream in memory, and as it is shown.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::Utc;
use quick_cache::Weighter;

use crate::index::{IndexError, Oid, blob_id};
use crate::upstream_cache::kept_file::{KeptFile, Stamp};
use crate::upstream_cache::verdict::{Policy, Shown, shown};

/// A file as it was shown, and by what.
struct LastShown {
    id: Oid,
    shown: Shown,
    policy: Policy,
}

/// An index file in memory.
pub struct IndexFile {
    pub file: KeptFile,
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
    pub(super) fn new(file: KeptFile, stamp: Option<Stamp>) -> Self {
        let checked_at = AtomicI64::new(file.known.checked_at.timestamp_millis());
        Self { file, stamp, checked_at, absent_since: Mutex::default(), shown: Mutex::default() }
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

    pub(super) fn confirm(&self) {
        self.checked_at.store(Utc::now().timestamp_millis(), Ordering::Relaxed);
        *self.absent_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Its bytes as they are shown now, and their id.
    pub fn shown(&self, policy: Policy) -> Result<(Oid, Bytes), IndexError> {
        let mut last = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Utc::now();
        let is_now = |last: &LastShown| last.policy == policy && last.shown.until.is_none_or(|until| until > now);
        if let Some(last) = last.as_ref().filter(|last| is_now(last)) {
            return Ok((last.id, last.shown.content.clone()));
        }
        let shown = shown(&self.file, &policy, now);
        let id = blob_id(&shown.content)?;
        let content = shown.content.clone();
        *last = Some(LastShown { id, shown, policy });
        Ok((id, content))
    }
}
