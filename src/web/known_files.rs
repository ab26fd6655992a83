//! Versions whose crate files were sent before, so that a download needs no query.
//!
//! A version is known together with the file of its crate in the index, which has its line, and only while the index shows that
//! file: the line of a deleted version leaves the index, and its number stays taken. Between the request of a deletion and that
//! moment nothing is recalled. The query of a download also returns whether any deletion is pending. That none is holds for a
//! tenth of a second; a deletion that this process accepts ends it at once.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use super::answers::crate_file::VersionFile;
use crate::index::{Oid, View};
use crate::package::index_path::index_path;
use crate::package::{CrateName, Version};

/// The number of versions that are known, of about 600 bytes each.
const VERSIONS: usize = 16 * 1024;
/// How long no deletion is pending after a query that found none.
const HOLDS: Duration = Duration::from_millis(100);
/// After this time one request asks again, while the others still recall.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The known versions.
pub struct KnownFiles {
    versions: Cache<Key, Arc<VersionFile>>,
    deletions: Mutex<Deletions>,
}

/// The crate's file in the index, and name and number as they are requested.
#[derive(PartialEq, Eq)]
struct Key(Oid, Box<str>, Box<str>);

#[derive(Clone, Copy)]
struct Requested<'a>(Oid, &'a str, &'a str);

/// What is known of pending deletions.
#[derive(Default)]
struct Deletions {
    /// When the last query that found none was sent.
    none_at: Option<Instant>,
    /// When a request last went to ask.
    asked_at: Option<Instant>,
    /// How many deletions this process has accepted.
    accepted: u64,
}

/// What a request does that finds the next query due.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum IfDue {
    /// It sends the query.
    Asks,
    /// It leaves that to a request that can wait for it.
    Passes,
}

/// A query that is about to be sent.
#[derive(Clone, Copy)]
pub struct Question {
    at: Instant,
    accepted: u64,
}

impl Default for KnownFiles {
    fn default() -> Self {
        Self { versions: Cache::new(VERSIONS), deletions: Mutex::default() }
    }
}

impl KnownFiles {
    /// The file of a version, if it is known and no deletion is pending. Does not block.
    pub fn recall(
        &self,
        view: &View,
        path: &str,
        (name, num): (&str, &str),
        if_due: IfDue,
    ) -> Option<Arc<VersionFile>> {
        let blob = view.recall(path)??;
        let known = self.versions.get(&Requested(blob, name, num))?;
        self.deletions.lock().none_is_pending(Instant::now(), if_due).then_some(known)
    }

    /// To be called before the query for a version.
    pub fn ask(&self) -> Question {
        Question { at: Instant::now(), accepted: self.deletions.lock().accepted }
    }

    /// Notes what the query has returned.
    pub fn learn(&self, question: Question, deletion_pending: bool) {
        let mut deletions = self.deletions.lock();
        if deletion_pending {
            deletions.none_at = None;
        } else if question.accepted == deletions.accepted {
            deletions.none_at = deletions.none_at.max(Some(question.at));
        }
    }

    /// A deletion was accepted.
    pub fn doubt(&self) {
        let mut deletions = self.deletions.lock();
        deletions.none_at = None;
        deletions.accepted += 1;
    }

    /// The place of a version in the index, to be found before the query for it. `None` if it is not known to be there, or if
    /// the index mirrors a remote: this mirror may still show a version whose deletion is done.
    pub fn place(view: &View, name: &CrateName, num: &Version) -> Option<Place> {
        if view.index().remote().is_some() {
            return None;
        }
        let found = view.file(&index_path(name)).ok()??;
        let vers = format!("\"vers\":\"{num}\"");
        memchr::memmem::find(&found.content, vers.as_bytes()).map(|_| Place(found.id))
    }

    /// Knows a version that the query has found.
    pub fn know(&self, Place(blob): Place, file: Arc<VersionFile>) {
        self.versions.insert(Key(blob, file.name.as_str().into(), file.num.to_string().into()), file);
    }
}

/// A file of the index that has the line of a version.
#[derive(Clone, Copy)]
pub struct Place(Oid);

impl Deletions {
    fn none_is_pending(&mut self, now: Instant, if_due: IfDue) -> bool {
        let age = |at: Option<Instant>| at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        if age(self.none_at) > ASK_AGAIN && age(self.asked_at) > ASK_AGAIN {
            if if_due == IfDue::Asks {
                self.asked_at = Some(now);
            }
            return false;
        }
        age(self.none_at) <= HOLDS
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Requested(self.0, &self.1, &self.2).hash(state);
    }
}

impl Hash for Requested<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0, self.1, self.2).hash(state);
    }
}

impl Equivalent<Key> for Requested<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        (self.0, self.1, self.2) == (key.0, &*key.1, &*key.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_query_says_of_deletions_holds_for_a_while_and_one_request_asks_again() {
        let mut deletions = Deletions::default();
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        assert!(!deletions.none_is_pending(start, IfDue::Asks));
        deletions.none_at = Some(start);
        let mut at = |milliseconds, if_due| deletions.none_is_pending(after(milliseconds), if_due);
        assert!(at(50, IfDue::Asks));
        // The first one that can asks, the others need not wait for it.
        assert!(!at(60, IfDue::Passes) && !at(60, IfDue::Asks));
        assert!(at(61, IfDue::Asks) && at(62, IfDue::Passes) && at(100, IfDue::Passes));
        // It gets no answer.
        assert!(!at(101, IfDue::Passes) && !at(101, IfDue::Asks));
        deletions.none_at = Some(after(104));
        assert!(deletions.none_is_pending(after(107), IfDue::Asks));
    }

    #[test]
    fn a_query_from_before_a_deletion_does_not_end_the_doubt() {
        let known = KnownFiles::default();
        let none_is_pending = || known.deletions.lock().none_at.is_some();
        let before = known.ask();
        known.learn(before, false);
        assert!(none_is_pending());
        known.doubt();
        assert!(!none_is_pending());
        known.learn(before, false);
        assert!(!none_is_pending());
        known.learn(known.ask(), false);
        assert!(none_is_pending());
        known.learn(known.ask(), true);
        assert!(!none_is_pending());
    }
}
