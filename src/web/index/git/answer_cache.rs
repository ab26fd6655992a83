//! Answers that several clients share.
//!
//! The answer to a clone depends on the request only, and many clients send the same request. A client that arrives
//! while git writes the answer follows the same file; one that arrives later reads the complete file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::limits::Limits;
use super::request::CacheKey;
use super::spool::{Reader, Spool};
use crate::web::client_address::AddressBlock;

/// The most answers in the cache that one client was the first to request.
const PER_ADDRESS: usize = 2;

/// Answers by cache key.
#[derive(Debug)]
pub struct AnswerCache {
    limits: Limits,
    entries: Mutex<HashMap<Vec<u8>, Entry>>,
    added: Notify,
}

#[derive(Debug)]
struct Entry {
    spool: Arc<Spool>,
    /// The requested commits.
    wants: Vec<Vec<u8>>,
    /// The client that requested it first.
    client: Option<AddressBlock>,
    uses: u64,
    used: Instant,
    /// When each requested commit was last the target of a reference.
    current: Instant,
}

impl AnswerCache {
    pub fn new(limits: Limits) -> Self {
        Self { limits, entries: Mutex::default(), added: Notify::new() }
    }

    /// A reader of the answer with this key, if it is in the cache.
    pub fn attach(&self, key: &CacheKey) -> Option<Reader> {
        self.attach_locked(&mut self.entries.lock(), &key.bytes)
    }

    fn attach_locked(&self, entries: &mut HashMap<Vec<u8>, Entry>, key: &[u8]) -> Option<Reader> {
        let entry = entries.get_mut(key)?;
        let reader = entry.spool.attach()?;
        entry.uses += 1;
        entry.used = Instant::now();
        Some(reader)
    }

    /// A reader of the answer with this key, and the spool to write if the answer is a new one. The caller already has
    /// the permit for a process, so that no reader of the answer waits for the permit of another client.
    pub fn reader(
        &self,
        key: CacheKey,
        client: Option<AddressBlock>,
        new: impl FnOnce() -> (Arc<Spool>, Reader),
    ) -> (Reader, Option<Arc<Spool>>) {
        let mut entries = self.entries.lock();
        if let Some(reader) = self.attach_locked(&mut entries, &key.bytes) {
            return (reader, None);
        }
        let (spool, reader) = new();
        if !spool.has_overflowed() && self.limits.cached > 0 {
            entries.remove(&key.bytes);
            make_room(&mut entries, self.limits.cached, client);
            let now = Instant::now();
            let CacheKey { bytes, wants } = key;
            let entry = Entry { spool: Arc::clone(&spool), wants, client, uses: 0, used: now, current: now };
            entries.insert(bytes, entry);
            self.added.notify_waiters();
        }
        (reader, Some(spool))
    }

    /// Completes when an answer is added.
    pub fn added(&self) -> Notified<'_> {
        self.added.notified()
    }

    /// Removes answers that are out of date or no longer requested; is true if any are left.
    pub fn sweep(&self, tips: &[String]) -> bool {
        let mut entries = self.entries.lock();
        let now = Instant::now();
        entries.retain(|_, entry| {
            if entry.wants.iter().all(|want| tips.iter().any(|tip| tip.as_bytes() == want)) {
                entry.current = now;
            }
            now.duration_since(entry.current) <= self.limits.cached_outdated
                && now.duration_since(entry.used) <= self.limits.cached_unused
        });
        !entries.is_empty()
    }

    /// Removes an answer.
    pub fn remove(&self, spool: &Arc<Spool>) {
        remove(&mut self.entries.lock(), spool);
    }

    /// Removes an answer unless it has readers; is true if it was removed.
    pub fn remove_unread(&self, spool: &Arc<Spool>) -> bool {
        // Under the lock no reader can be added.
        let mut entries = self.entries.lock();
        let is_unread = !spool.has_readers();
        if is_unread {
            remove(&mut entries, spool);
        }
        is_unread
    }

    /// Removes the least used complete answer without readers, to free disk space; is true if there was one.
    pub fn remove_one_idle(&self) -> bool {
        remove_one_idle(&mut self.entries.lock())
    }
}

fn remove(entries: &mut HashMap<Vec<u8>, Entry>, spool: &Arc<Spool>) {
    entries.retain(|_, entry| !Arc::ptr_eq(&entry.spool, spool));
}

/// Makes room for another answer of this client. Answers with readers can be removed, too: the readers keep their file.
fn make_room(entries: &mut HashMap<Vec<u8>, Entry>, limit: usize, client: Option<AddressBlock>) {
    let mut remove_least_used = |limit: usize, of: &dyn Fn(&Entry) -> bool| {
        while entries.values().filter(|entry| of(entry)).count() >= limit {
            let candidates = entries.iter().filter(|(_, entry)| of(entry));
            let Some(key) = candidates.min_by_key(|(_, entry)| (entry.uses, entry.used)).map(|(key, _)| key.clone())
            else {
                return;
            };
            entries.remove(&key);
        }
    };
    if client.is_some() {
        remove_least_used(PER_ADDRESS, &|entry| entry.client == client);
    }
    remove_least_used(limit, &|_| true);
}

fn remove_one_idle(entries: &mut HashMap<Vec<u8>, Entry>) -> bool {
    let idle = entries.iter().filter(|(_, entry)| entry.spool.is_complete() && !entry.spool.has_readers());
    let Some(key) = idle.min_by_key(|(_, entry)| (entry.uses, entry.used)).map(|(key, _)| key.clone()) else {
        return false;
    };
    entries.remove(&key).is_some()
}
