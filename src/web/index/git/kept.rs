//! Answers that others get as well: what a client is sent that has nothing yet depends on the request alone, and many ask
//! the same. Whoever comes while git works on it follows the same file; whoever comes later reads what is there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::limits::Limits;
use super::spool::{Reader, Spool};

/// The answers by what was asked.
#[derive(Debug)]
pub struct Kept {
    limits: Limits,
    entries: Mutex<HashMap<Vec<u8>, Entry>>,
}

#[derive(Debug)]
struct Entry {
    spool: Arc<Spool>,
    /// The commits in it.
    wants: Vec<Vec<u8>>,
    uses: u64,
    used: Instant,
    /// When all of it was last where a reference leads.
    current: Instant,
}

impl Kept {
    pub fn new(limits: Limits) -> Self {
        Self { limits, entries: Mutex::default() }
    }

    /// A reader of the answer to this; and if it is a new one, what is to be written.
    pub fn reader(
        &self,
        key: &[u8],
        wants: Vec<Vec<u8>>,
        tips: &[String],
        new: impl FnOnce() -> (Arc<Spool>, Reader),
    ) -> (Reader, Option<Arc<Spool>>) {
        let mut entries = self.entries.lock();
        self.sweep_locked(&mut entries, tips);
        if let Some(entry) = entries.get_mut(key)
            && let Some(reader) = entry.spool.attach()
        {
            entry.uses += 1;
            entry.used = Instant::now();
            return (reader, None);
        }
        let (spool, reader) = new();
        if !spool.has_overflowed()
            && self.limits.kept > 0
            && (entries.len() < self.limits.kept || remove_one_idle(&mut entries))
        {
            let now = Instant::now();
            let entry = Entry { spool: Arc::clone(&spool), wants, uses: 0, used: now, current: now };
            entries.insert(key.to_vec(), entry);
        }
        (reader, Some(spool))
    }

    /// Forgets what is out of date or not wanted any more; answers whether anything is left.
    pub fn sweep(&self, tips: &[String]) -> bool {
        let mut entries = self.entries.lock();
        self.sweep_locked(&mut entries, tips);
        !entries.is_empty()
    }

    fn sweep_locked(&self, entries: &mut HashMap<Vec<u8>, Entry>, tips: &[String]) {
        let now = Instant::now();
        entries.retain(|_, entry| {
            if entry.wants.iter().all(|want| tips.iter().any(|tip| tip.as_bytes() == want)) {
                entry.current = now;
            }
            now.duration_since(entry.current) <= self.limits.kept_behind
                && now.duration_since(entry.used) <= self.limits.kept_unused
        });
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

/// Removes the least used answer of those that are complete and that nobody reads.
fn remove_one_idle(entries: &mut HashMap<Vec<u8>, Entry>) -> bool {
    let idle = entries.iter().filter(|(_, entry)| entry.spool.is_complete() && !entry.spool.has_readers());
    let Some(key) = idle.min_by_key(|(_, entry)| (entry.uses, entry.used)).map(|(key, _)| key.clone()) else {
        return false;
    };
    entries.remove(&key).is_some()
}
