//! Answers that others get as well: what a client is sent that has nothing yet depends on the request alone, and many ask
//! the same. Whoever comes while git works on it follows the same file; whoever comes later reads what is there.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::limits::Limits;
use super::spool::{Reader, Spool};

/// So many answers are kept that one address asked for first.
const OF_ONE_ADDRESS: usize = 2;

/// The answers by what was asked.
#[derive(Debug)]
pub struct Kept {
    limits: Limits,
    entries: Mutex<HashMap<Vec<u8>, Entry>>,
    added: Notify,
}

#[derive(Debug)]
struct Entry {
    spool: Arc<Spool>,
    /// The commits in it.
    wants: Vec<Vec<u8>>,
    /// Who asked first.
    address: Option<IpAddr>,
    uses: u64,
    used: Instant,
    /// When all of it was last where a reference leads.
    current: Instant,
}

impl Kept {
    pub fn new(limits: Limits) -> Self {
        Self { limits, entries: Mutex::default(), added: Notify::new() }
    }

    /// A reader of the answer to this, if it is there.
    pub fn attach(&self, key: &[u8]) -> Option<Reader> {
        self.attach_locked(&mut self.entries.lock(), key)
    }

    fn attach_locked(&self, entries: &mut HashMap<Vec<u8>, Entry>, key: &[u8]) -> Option<Reader> {
        let entry = entries.get_mut(key)?;
        let reader = entry.spool.attach()?;
        entry.uses += 1;
        entry.used = Instant::now();
        Some(reader)
    }

    /// A reader of the answer to this; and if it is a new one, what is to be written. Whoever calls this has a process for it,
    /// so that nobody who reads it waits for the turn of another client.
    pub fn reader(
        &self,
        key: &[u8],
        wants: Vec<Vec<u8>>,
        address: Option<IpAddr>,
        new: impl FnOnce() -> (Arc<Spool>, Reader),
    ) -> (Reader, Option<Arc<Spool>>) {
        let mut entries = self.entries.lock();
        if let Some(reader) = self.attach_locked(&mut entries, key) {
            return (reader, None);
        }
        let (spool, reader) = new();
        if !spool.has_overflowed() && self.limits.kept > 0 {
            entries.remove(key);
            make_way(&mut entries, self.limits.kept, address);
            let now = Instant::now();
            let entry = Entry { spool: Arc::clone(&spool), wants, address, uses: 0, used: now, current: now };
            entries.insert(key.to_vec(), entry);
            self.added.notify_waiters();
        }
        (reader, Some(spool))
    }

    /// The next time that there is a new answer.
    pub fn added(&self) -> Notified<'_> {
        self.added.notified()
    }

    /// Forgets what is out of date or not wanted any more; answers whether anything is left.
    pub fn sweep(&self, tips: &[String]) -> bool {
        let mut entries = self.entries.lock();
        let now = Instant::now();
        entries.retain(|_, entry| {
            if entry.wants.iter().all(|want| tips.iter().any(|tip| tip.as_bytes() == want)) {
                entry.current = now;
            }
            now.duration_since(entry.current) <= self.limits.kept_behind
                && now.duration_since(entry.used) <= self.limits.kept_unused
        });
        !entries.is_empty()
    }

    /// Forgets an answer that failed or was given up, unless somebody has begun to read it since; answers whether it did.
    pub fn forget(&self, spool: &Arc<Spool>, even_if_read: bool) -> bool {
        let mut entries = self.entries.lock();
        if !even_if_read && spool.has_readers() {
            return false;
        }
        entries.retain(|_, entry| !Arc::ptr_eq(&entry.spool, spool));
        true
    }

    /// Makes room on the disk; answers whether it could.
    pub fn remove_one_idle(&self) -> bool {
        remove_one_idle(&mut self.entries.lock())
    }
}

/// Makes room for one more answer of this address, whether or not somebody reads what has to go: readers keep what they have.
fn make_way(entries: &mut HashMap<Vec<u8>, Entry>, limit: usize, address: Option<IpAddr>) {
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
    if address.is_some() {
        remove_least_used(OF_ONE_ADDRESS, &|entry| entry.address == address);
    }
    remove_least_used(limit, &|_| true);
}

/// Removes the least used answer of those that are complete and that nobody reads.
fn remove_one_idle(entries: &mut HashMap<Vec<u8>, Entry>) -> bool {
    let idle = entries.iter().filter(|(_, entry)| entry.spool.is_complete() && !entry.spool.has_readers());
    let Some(key) = idle.min_by_key(|(_, entry)| (entry.uses, entry.used)).map(|(key, _)| key.clone()) else {
        return false;
    };
    entries.remove(&key).is_some()
}
