//! The memory and disk space that all uploads share.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::web::error::ApiError;

/// The memory or disk that a growing body takes at a time, in bytes.
const STEP: u64 = 64 * 1024;
/// The size of all files together, as a multiple of the memory.
const DISK: u64 = 4;
/// Threads that write to the disk at the same time. Other requests need threads, too.
const WRITERS: usize = 8;

/// Memory and disk for uploads. Semaphores count KiB.
pub struct Budget {
    pub directory: PathBuf,
    /// Memory for bodies that are not complete.
    pub arriving: Arc<Semaphore>,
    /// Memory for complete bodies.
    pub complete: Arc<Semaphore>,
    pub complete_total: u32,
    pub disk: Arc<Semaphore>,
    writers: Semaphore,
}

impl Budget {
    /// A budget of this many bytes of memory, with files in this directory.
    pub fn new(memory: u64, directory: PathBuf) -> Self {
        let kib = |bytes: u64| u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        let semaphore = |kib: u32| Arc::new(Semaphore::new(kib as usize));
        let complete_total = kib(memory / 4 * 3);
        Self {
            directory,
            arriving: semaphore(kib(memory / 4)),
            complete: semaphore(complete_total),
            complete_total,
            disk: semaphore(kib(memory.saturating_mul(DISK))),
            writers: Semaphore::new(WRITERS),
        }
    }

    /// Runs file system work on a thread that may block.
    pub async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        let _writer = self.writers.acquire().await.map_err(ApiError::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?.map_err(ApiError::unavailable)
    }
}

/// The part of a semaphore that one growing body holds.
pub struct Share {
    of: Arc<Semaphore>,
    permits: Vec<OwnedSemaphorePermit>,
    bytes: u64,
}

impl Share {
    pub fn of(semaphore: &Arc<Semaphore>) -> Self {
        Self { of: Arc::clone(semaphore), permits: Vec::new(), bytes: 0 }
    }

    /// Grows to this many bytes, or is false if there are not enough left. It never waits, because a body that waits
    /// while it holds a share can deadlock with another one.
    pub fn grow_to(&mut self, bytes: u64) -> bool {
        let Some(missing) = bytes.checked_sub(self.bytes).filter(|&missing| missing > 0) else { return true };
        let missing = missing.next_multiple_of(STEP);
        let kib = u32::try_from(missing / 1024).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.of).try_acquire_many_owned(kib) else { return false };
        self.bytes += missing;
        match self.permits.first_mut() {
            Some(first) => first.merge(permit),
            None => self.permits.push(permit),
        }
        true
    }
}
