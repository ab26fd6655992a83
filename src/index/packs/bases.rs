//! Large files that were written whole, so that their next versions are small deltas of them.
//!
//! git requires the base of a delta in the same pack. So each pack with such a delta repeats the base, as the bytes that
//! were compressed once: copying 130 kB takes a fraction of a millisecond, compressing the 700 kB of 3,000 versions several
//! milliseconds. A merge of packs keeps one copy. Each pack is complete by itself, so a base in memory cannot be out of
//! date, and after a start only the first compression is repeated.

use std::sync::Arc;

use bytes::Bytes;
use git2::Oid;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::difference::changed_lines;
use crate::index::cache;
use crate::index::tree::Replaced;

/// The size of files for which this is worth it, in bytes.
pub(super) const LARGE: usize = 32 * 1024;
/// The part of a file that may differ from its base. If it is larger, the file is written whole, and is the next base: with
/// 3,000 versions, after some ninety.
const PART: usize = 32;
/// The size of all bases, in bytes.
const BASES: u64 = 16 * 1024 * 1024;
/// Their approximate number.
const EXPECTED: usize = 64;

/// The bases by the paths of their files.
#[derive(Debug)]
pub struct Bases(Cache<String, Arc<Base>, BySize>);

/// A version of a file.
#[derive(Debug)]
pub(super) struct Base {
    pub id: Oid,
    pub content: Bytes,
    /// Its entry in a pack.
    pub entry: Box<[u8]>,
}

#[derive(Debug, Clone)]
struct BySize;

impl Weighter<String, Arc<Base>> for BySize {
    fn weight(&self, path: &String, base: &Arc<Base>) -> u64 {
        (path.len() + base.content.len() + base.entry.len()) as u64
    }
}

impl Default for Bases {
    fn default() -> Self {
        Self(cache::of_bytes(BASES, EXPECTED, BySize))
    }
}

impl Bases {
    /// The base of a file with this content, and what differs.
    pub(super) fn base_of(&self, path: &str, content: &[u8]) -> Option<(Arc<Base>, Vec<Replaced>)> {
        let base = self.0.get(path)?;
        let changed = changed_lines(&base.content, content, content.len() / PART)?;
        Some((base, changed))
    }

    /// Keeps a version as the base of the next ones.
    pub(super) fn keep(&self, path: &str, base: Base) {
        self.0.insert(path.to_owned(), Arc::new(base));
    }
}
