//! Counted permits: how much each client or user has in progress, up to a limit for each.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// Permits with the same limit for every holder. Clones count together.
pub struct Permits<K>(Arc<Parts<K>>);

struct Parts<K> {
    limit: u32,
    /// The holders that have at least one permit.
    held: Mutex<HashMap<K, u32>>,
}

impl<K> Clone for Permits<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Copy + Eq + Hash> Permits<K> {
    /// Permits of which each holder can have `limit` at the same time.
    pub fn new(limit: u32) -> Self {
        Self(Arc::new(Parts { limit, held: Mutex::default() }))
    }

    pub fn limit(&self) -> u32 {
        self.0.limit
    }

    /// Gives the holder a permit until it is dropped, or `None` at the limit.
    pub fn acquire(&self, holder: K) -> Option<Permit<K>> {
        let mut held = self.0.held.lock();
        let count = held.get(&holder).copied().unwrap_or(0);
        if count >= self.0.limit {
            return None;
        }
        held.insert(holder, count + 1);
        Some(Permit { permits: self.clone(), holder })
    }
}

/// A permit, which is free again when this is dropped.
pub struct Permit<K: Copy + Eq + Hash> {
    permits: Permits<K>,
    holder: K,
}

impl<K: Copy + Eq + Hash> Drop for Permit<K> {
    fn drop(&mut self) {
        let mut held = self.permits.0.held.lock();
        if let Some(count) = held.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_holder_has_its_own_limit_and_a_dropped_permit_is_free_again() {
        let permits = Permits::new(2);
        let first = permits.acquire("ann");
        let _second = permits.acquire("ann").unwrap();
        assert!(permits.acquire("ann").is_none());
        assert!(permits.acquire("bob").is_some());
        drop(first);
        assert!(permits.acquire("ann").is_some());
    }

    #[test]
    fn a_holder_without_permits_takes_no_memory() {
        let permits = Permits::new(2);
        drop((0..3).map(|_| permits.acquire("ann")).collect::<Vec<_>>());
        assert!(permits.0.held.lock().is_empty());
    }
}
