//! The body of one publish, in memory or in a file.

use std::fs::File;
use std::io::{Cursor, Read, Seek, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rawzip::{FileReader, ReaderAt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::budget::{Budget, Share};
use super::metadata_size::MetadataSize;
use crate::web::bounds::Bound;
use crate::web::error::ApiError;
use crate::web::limits::permits::Permit;

/// The largest body that is held in memory while it arrives, in bytes.
const IN_MEMORY: usize = 1024 * 1024;
/// The memory that a publish takes in addition to its body, in bytes.
const OVERHEAD: u64 = 512 * 1024;
/// How long a complete body waits for memory.
const MEMORY_WAIT: Duration = Duration::from_secs(60);

/// A body that is arriving.
pub struct Upload {
    budget: Arc<Budget>,
    permit: Permit<i32>,
    pub(super) content: Content,
    length: u64,
    metadata: MetadataSize,
}

pub(super) enum Content {
    Memory(BytesMut, Share),
    Disk(File, Share),
}

impl Upload {
    pub(super) fn new(budget: Arc<Budget>, permit: Permit<i32>, expected: u64) -> Self {
        let share = Share::of(&budget.arriving);
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        // This reserves address space only: pages take memory when they are filled.
        let content = Content::Memory(BytesMut::with_capacity(expected.min(IN_MEMORY)), share);
        Self { budget, permit, content, length: 0, metadata: MetadataSize::default() }
    }

    /// Adds the next piece of the body.
    pub(super) async fn push(&mut self, piece: Bytes) -> Result<(), ApiError> {
        self.metadata.count(&piece);
        self.length += piece.len() as u64;
        if let Content::Memory(buffer, share) = &mut self.content {
            if self.length <= IN_MEMORY as u64 && share.grow_to(self.length) {
                buffer.extend_from_slice(&piece);
                return Ok(());
            }
            let arrived = std::mem::take(buffer).freeze();
            let directory = self.budget.directory.clone();
            let file = self.budget.on_disk(move || tempfile::tempfile_in(directory)).await?;
            self.content = Content::Disk(file, Share::of(&self.budget.disk));
            self.write(arrived).await?;
        }
        self.write(piece).await
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), ApiError> {
        let Content::Disk(file, share) = &mut self.content else { return Ok(()) };
        if !share.grow_to(self.length) {
            Bound::UploadDisk.met();
            return Err(ApiError::busy("too many publishes are being received: try again in a minute"));
        }
        let mut file = file.try_clone().map_err(ApiError::unavailable)?;
        self.budget.on_disk(move || file.write_all(&piece)).await
    }

    /// Waits for the memory that the publish takes.
    pub async fn complete(self) -> Result<CompleteUpload, ApiError> {
        let Budget { complete, complete_total, .. } = &*self.budget;
        let needed = (self.length + self.metadata.parsed() + OVERHEAD).div_ceil(1024);
        let needed = u32::try_from(needed).unwrap_or(u32::MAX).min(*complete_total);
        let Ok(memory) = timeout(MEMORY_WAIT, Arc::clone(complete).acquire_many_owned(needed)).await else {
            Bound::UploadMemory.met();
            return Err(ApiError::busy("too many publishes are in progress: try again in a minute"));
        };
        let memory = memory.map_err(ApiError::internal)?;
        Ok(CompleteUpload { content: self.content, length: self.length, _memory: memory, _permit: self.permit })
    }
}

impl Upload {
    /// The body as a file, which needs no memory when it is large.
    pub fn into_file(self) -> UploadedFile {
        let content = match self.content {
            Content::Memory(buffer, share) => FileContent::Memory(buffer.freeze(), share),
            Content::Disk(file, share) => FileContent::Disk(file, share),
        };
        UploadedFile { content, length: self.length, _permit: self.permit }
    }
}

/// A body that has arrived completely, and is read piece by piece. It holds its share of memory or disk until it is dropped.
pub struct UploadedFile {
    content: FileContent,
    length: u64,
    _permit: Permit<i32>,
}

enum FileContent {
    Memory(Bytes, #[expect(dead_code, reason = "held until the file is dropped")] Share),
    Disk(File, #[expect(dead_code, reason = "held until the file is dropped")] Share),
}

impl UploadedFile {
    /// In bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Reads it from its beginning.
    pub fn reader(&self) -> Result<Box<dyn Read + '_>, ApiError> {
        Ok(match &self.content {
            FileContent::Memory(content, _) => Box::new(&content[..]),
            FileContent::Disk(file, _) => {
                let mut file = file.try_clone().map_err(ApiError::unavailable)?;
                file.rewind().map_err(ApiError::unavailable)?;
                Box::new(file)
            }
        })
    }

    /// Reads parts of it.
    pub fn parts(&self) -> Result<Box<dyn ReaderAt + '_>, ApiError> {
        Ok(match &self.content {
            FileContent::Memory(content, _) => Box::new(Cursor::new(&content[..])),
            FileContent::Disk(file, _) => Box::new(FileReader::from(file.try_clone().map_err(ApiError::unavailable)?)),
        })
    }
}

/// A body that has arrived completely. It holds the memory for its publish until it is dropped.
pub struct CompleteUpload {
    content: Content,
    length: u64,
    _memory: OwnedSemaphorePermit,
    _permit: Permit<i32>,
}

impl CompleteUpload {
    /// The body, read from its file if it has one.
    pub fn load(&mut self) -> Result<Bytes, ApiError> {
        match &mut self.content {
            Content::Memory(buffer, _) => Ok(std::mem::take(buffer).freeze()),
            Content::Disk(file, _) => {
                let mut content = Vec::with_capacity(usize::try_from(self.length).unwrap_or(0));
                file.rewind().map_err(ApiError::unavailable)?;
                file.read_to_end(&mut content).map_err(ApiError::unavailable)?;
                Ok(content.into())
            }
        }
    }
}
