//! The view of the sparse protocol: files at the head, plain and compressed.
//!
//! A blob id identifies its content, so cached content is never out of date. The branch is read anew for each request.
//!
//! What memory has already is recalled without blocking, apart from reading the branch; what it lacks is read by callers
//! that may block.

use std::sync::Arc;

use bytes::Bytes;
use git2::Oid;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::cache;
use super::error::IndexError;
use super::gzip::Compressed;
use super::object_id;
use super::repository::{Index, IndexFile};

/// The size of the cache of compressed files, in bytes.
const CACHE_WEIGHT: u64 = 32 * 1024 * 1024;

/// The approximate overhead of an entry, in bytes.
const ENTRY_OVERHEAD: u64 = 128;

/// The approximate number of entries: a crate's file has some kilobytes.
const EXPECTED_ENTRIES: usize = 16 * 1024;

/// The size in bytes from which zstd takes half the time, for files that are hardly larger.
const LARGE: usize = 64 * 1024;

/// A reader of the index at its head. Clones share their cache of compressed files; plain ones are in that of the index.
#[derive(Debug, Clone)]
pub struct View {
    index: Index,
    cache: Arc<Cache<(Oid, Coding), Bytes, ByLength>>,
    large: Arc<Compressed>,
}

/// A content coding of HTTP. Source: IANA's HTTP Content Coding Registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Uncompressed.
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
        let cache = Arc::new(cache::of_bytes(CACHE_WEIGHT, EXPECTED_ENTRIES, ByLength));
        View { index, cache, large: Arc::default() }
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The blob id of the file at the head; `None` if there is none.
    pub fn find(&self, path: &str) -> Result<Option<Oid>, IndexError> {
        self.index.find(&self.index.head()?, path)
    }

    /// The blob id of the file at the head, as [`View::find`] has it, if memory can tell.
    pub fn recall(&self, path: &str) -> Option<Option<Oid>> {
        self.index.trees().recall(path)
    }

    /// The content in a coding, as [`View::coded`] has it, if it is in memory.
    pub fn recall_coded(&self, id: Oid, coding: Coding) -> Option<Bytes> {
        match coding {
            Coding::Identity => self.index.trees().known_blob(id),
            Coding::Gzip | Coding::Zstd => self.cache.get(&(id, coding)),
        }
    }

    /// The file at the head; `None` if there is none.
    pub fn file(&self, path: &str) -> Result<Option<IndexFile>, IndexError> {
        let Some(id) = self.find(path)? else {
            return Ok(None);
        };
        Ok(Some(IndexFile { id, content: self.content(id)? }))
    }

    /// The content of a blob that [`View::find`] returned.
    pub fn content(&self, id: Oid) -> Result<Bytes, IndexError> {
        self.index.content(id)
    }

    /// The content of the file at this path in a coding.
    pub fn coded(&self, path: &str, id: Oid, coding: Coding) -> Result<Bytes, IndexError> {
        match coding {
            Coding::Identity => self.content(id),
            Coding::Gzip | Coding::Zstd => {
                self.cache.get_or_insert_with(&(id, coding), || Ok(self.compress(path, &self.content(id)?, coding)))
            }
        }
    }

    /// A content that is not in the repository, in a coding. `id` is its [`blob_id`].
    pub fn coded_content(&self, path: &str, (id, content): (Oid, &Bytes), coding: Coding) -> Bytes {
        let compressed = || Ok::<_, std::convert::Infallible>(self.compress(path, content, coding));
        match coding {
            Coding::Identity => content.clone(),
            Coding::Gzip | Coding::Zstd => {
                self.cache.get_or_insert_with(&(id, coding), compressed).unwrap_or_else(|never| match never {})
            }
        }
    }

    fn compress(&self, path: &str, content: &Bytes, coding: Coding) -> Bytes {
        match coding {
            Coding::Identity => content.clone(),
            Coding::Gzip => self.large.gzip(path, content),
            Coding::Zstd => zstd(content),
        }
    }
}

/// The id that a content would have in the repository.
pub fn blob_id(content: &[u8]) -> Result<Oid, IndexError> {
    object_id::blob(content).map_err(IndexError::git("hash a file", std::path::Path::new("")))
}

fn zstd(content: &[u8]) -> Bytes {
    let level = if content.len() < LARGE { zstd::DEFAULT_COMPRESSION_LEVEL } else { 1 };
    let compressed = zstd::bulk::compress(content, level);
    Bytes::from(compressed.expect("the buffer is as large as it may get")) // the bound is the library's own
}
