//! When the packs have to be counted again.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many packs may be added until they have to be counted. Only the writer's process knows of each new one.
#[derive(Debug, Default)]
pub(super) struct PackCount {
    /// 0 before the first count.
    left: AtomicUsize,
}

impl PackCount {
    /// A pack was added.
    pub fn note_new(&self) {
        // Never below zero: there is one writer at a time.
        let _ = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    }

    /// Whether no count is needed yet.
    pub fn is_low(&self) -> bool {
        self.left.load(Ordering::SeqCst) > 0
    }

    /// The next so many packs need no count.
    pub fn allow(&self, packs: usize) {
        self.left.store(packs, Ordering::SeqCst);
    }
}
