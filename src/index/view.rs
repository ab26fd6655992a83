//! What the sparse protocol reads: files at the head, as they are and compressed.
//!
//! A blob id names its content for ever, so what is kept in memory under an id is never out of date; only where the
//! head is and which blob it holds is asked anew each time.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use git2::Oid;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::error::IndexError;
use super::repository::{Index, IndexFile};

/// Memory for contents and their compressed forms, in bytes.
const CACHE_WEIGHT: u64 = 64 * 1024 * 1024;

/// What an entry costs besides its bytes, roughly.
const ENTRY_OVERHEAD: u64 = 128;

/// A crate's file is some kilobytes: the cache holds about so many entries.
const EXPECTED_ENTRIES: usize = 16 * 1024;

/// A reader of the index at its head. Clones share their cache.
#[derive(Debug, Clone)]
pub struct View {
    index: Index,
    cache: Arc<Cache<(Oid, Coding), Bytes, ByLength>>,
}

/// A form in which content is sent. Source: the registry of HTTP content codings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// As it is.
    Identity,
    Gzip,
    Zstd,
}

#[derive(Debug, Clone)]
struct ByLength;

impl Weighter<(Oid, Coding), Bytes> for ByLength {
    fn weight(&self, _key: &(Oid, Coding), body: &Bytes) -> u64 {
        body.len() as u64 + ENTRY_OVERHEAD
    }
}

impl View {
    /// A view of the index, with an empty cache.
    pub fn new(index: Index) -> View {
        View { index, cache: Arc::new(Cache::with_weighter(EXPECTED_ENTRIES, CACHE_WEIGHT, ByLength)) }
    }

    /// The index it shows.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The blob id of the file at the head; `None` when there is none.
    pub fn find(&self, path: &str) -> Result<Option<Oid>, IndexError> {
        self.index.find(&self.index.head()?, path)
    }

    /// The file at the head; `None` when there is none.
    pub fn file(&self, path: &str) -> Result<Option<IndexFile>, IndexError> {
        let Some(id) = self.find(path)? else {
            return Ok(None);
        };
        Ok(Some(IndexFile { id, content: self.content(id)? }))
    }

    /// The content of a blob that [`View::find`] returned.
    pub fn content(&self, id: Oid) -> Result<Bytes, IndexError> {
        self.cache.get_or_insert_with(&(id, Coding::Identity), || self.index.content(id))
    }

    /// The same content in another form.
    pub fn coded(&self, id: Oid, coding: Coding) -> Result<Bytes, IndexError> {
        let compress = match coding {
            Coding::Identity => return self.content(id),
            Coding::Gzip => gzip,
            Coding::Zstd => zstd,
        };
        self.cache.get_or_insert_with(&(id, coding), || Ok(compress(&self.content(id)?)))
    }
}

fn gzip(content: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder.write_all(content).and_then(|()| encoder.finish());
    Bytes::from(compressed.expect("a Vec takes every byte")) // writing to memory can't fail
}

fn zstd(content: &[u8]) -> Bytes {
    let compressed = zstd::bulk::compress(content, zstd::DEFAULT_COMPRESSION_LEVEL);
    Bytes::from(compressed.expect("the buffer is as large as it may get")) // the bound is the library's own
}
