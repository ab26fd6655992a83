//! Crate files in memory, so that those which are often downloaded are sent without reading the disk.
//!
//! A file is kept under its checksum, after its content was compared with it. So a damaged file is never kept, and what is kept
//! is right whatever happens to the file on the disk.
//!
//! What is being sent counts until it is sent: many clients that read slowly could otherwise occupy any amount of memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::package::Checksum;

/// The size of the files that are kept, in bytes.
const KEPT: u64 = 32 * 1024 * 1024;
/// The largest file that is kept, in bytes. A share of the cache has to hold it.
pub(super) const LARGEST_KEPT: usize = 2 * 1024 * 1024;
/// Independent shares of the cache. More of them would be too small for the largest file.
const SHARES: usize = 4;
/// The approximate number of files.
const EXPECTED_FILES: usize = 1024;
/// The approximate overhead of a file, in bytes.
const ENTRY_OVERHEAD: u64 = 160;

/// How much of crate files may be in memory, kept or being sent, before pieces become small.
const AMPLE: usize = 64 * 1024 * 1024;
/// The size of a piece of a file, in bytes, and its size when memory is short.
const PIECE: usize = 256 * 1024;
const SMALL_PIECE: usize = 16 * 1024;
/// The number of buffers that are used again.
const SPARE: usize = 8;

/// The files in memory, and the size of everything that is read. Clones share both.
#[derive(Clone)]
pub(super) struct Memory {
    kept: Arc<Cache<Checksum, Bytes, ByLength>>,
    used: Used,
}

#[derive(Clone)]
struct ByLength;

impl Weighter<Checksum, Bytes> for ByLength {
    fn weight(&self, _checksum: &Checksum, content: &Bytes) -> u64 {
        content.len() as u64 + ENTRY_OVERHEAD
    }
}

/// The size of everything that is kept or being sent.
#[derive(Clone, Default)]
pub(super) struct Used(Arc<Shared>);

#[derive(Default)]
struct Shared {
    bytes: AtomicUsize,
    /// Buffers of pieces that were sent. The allocator would return them to the kernel, which clears them each time.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// Room for bytes that are to be read, and then for what was read until it is dropped.
pub(super) struct Room {
    pub bytes: usize,
    used: Used,
}

struct Counted {
    content: Vec<u8>,
    room: Room,
}

impl Memory {
    pub fn new() -> Self {
        let mut options = OptionsBuilder::new();
        options.estimated_items_capacity(EXPECTED_FILES).weight_capacity(KEPT).shards(SHARES);
        let options = options.build().expect("both capacities are set"); // the only ones without a default
        let kept = Cache::with_options(options, ByLength, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { kept: Arc::new(kept), used: Used::default() }
    }

    /// A file that is kept.
    pub fn get(&self, checksum: Checksum) -> Option<Bytes> {
        self.kept.get(&checksum)
    }

    /// Keeps a whole file, unless it is damaged.
    pub fn keep(&self, checksum: Checksum, content: &Bytes) {
        if Checksum::of(content) == checksum {
            self.kept.insert(checksum, content.clone());
        }
    }

    /// Forgets a file.
    pub fn forget(&self, checksum: Checksum) {
        self.kept.remove(&checksum);
    }

    pub fn used(&self) -> &Used {
        &self.used
    }
}

impl Used {
    /// Room for a whole file; `None` if memory is short.
    pub fn whole(&self, bytes: usize) -> Option<Room> {
        let before = self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        let room = Room { bytes, used: self.clone() };
        (before.saturating_add(bytes) <= AMPLE).then_some(room)
    }

    /// Room for the next piece of what is left of a file.
    pub fn piece(&self, left: u64) -> Room {
        let at_most = |piece: usize| usize::try_from(left).map_or(piece, |left| left.min(piece));
        self.whole(at_most(PIECE)).unwrap_or_else(|| {
            let bytes = at_most(SMALL_PIECE);
            self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
            Room { bytes, used: self.clone() }
        })
    }
}

impl Room {
    /// A buffer of the size of the room.
    pub fn buffer(&self) -> Vec<u8> {
        let spare = if self.bytes == PIECE { self.used.0.spare.lock().pop() } else { None };
        spare.unwrap_or_else(|| vec![0; self.bytes])
    }

    /// The content that the room is for.
    pub fn filled(self, content: Vec<u8>) -> Bytes {
        Bytes::from_owner(Counted { content, room: self })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.used.0.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut spare = self.room.used.0.spare.lock();
        if self.content.len() == PIECE && spare.len() < SPARE {
            spare.push(std::mem::take(&mut self.content));
        }
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_file_is_kept_and_a_damaged_one_is_not() {
        let memory = Memory::new();
        let content = Bytes::from(vec![7; LARGEST_KEPT]);
        memory.keep(Checksum::of(&content), &content);
        assert_eq!(memory.get(Checksum::of(&content)).as_ref(), Some(&content));
        memory.keep(Checksum::of(b"whole"), &Bytes::from_static(b"damaged"));
        assert_eq!(memory.get(Checksum::of(b"whole")), None);
        memory.forget(Checksum::of(&content));
        assert_eq!(memory.get(Checksum::of(&content)), None);
    }

    #[test]
    fn what_was_read_counts_until_it_is_dropped_and_pieces_are_small_while_there_is_much() {
        let used = Used::default();
        let counted = || used.0.bytes.load(Ordering::Relaxed);
        let piece = || used.piece(u64::MAX);
        let many: Vec<Bytes> = (0..AMPLE / PIECE).map(|_| piece().filled(vec![0; PIECE])).collect();
        let sizes = [used.piece(u64::MAX), used.piece(9)].map(|room| room.bytes);
        assert_eq!((sizes, counted(), used.whole(1).is_none()), ([SMALL_PIECE, 9], AMPLE, true));
        let part = many[0].slice(5..6);
        drop(many);
        assert_eq!(counted(), PIECE);
        assert_eq!((piece().bytes, used.0.spare.lock().len()), (PIECE, SPARE));
        assert_eq!(piece().buffer().len(), PIECE);
        drop(part);
        assert_eq!(counted(), 0);
    }
}
