//! What the git service and its git processes share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::statvfs::statvfs;
use tokio::sync::Semaphore;

use super::answer_cache::AnswerCache;
use super::capabilities::GitCapabilities;
use super::disk_budget::DiskBudget;
use super::fetch_permits::FetchPermits;
use super::limits::Limits;
use super::spool::{Reader, Spool};
use crate::index::{Index, PackSizes, readable_stderr};
use crate::web::limits::log_limit::LogLimit;

/// Requests that are decompressed and parsed at the same time.
const PARSING: usize = 4;

/// The index, and the limits and caches of its git service.
#[derive(Debug)]
pub struct Context {
    pub index: Index,
    pub limits: Limits,
    pub permits: Arc<FetchPermits>,
    pub disk: Arc<DiskBudget>,
    pub cache: AnswerCache,
    pub capabilities: GitCapabilities,
    pub parsing: Semaphore,
    /// Whether a task removes old answers from the cache.
    pub is_swept: AtomicBool,
    limit_warnings: LogLimit,
    failure_warnings: LogLimit,
}

impl Context {
    pub fn new(index: &Index, limits: Limits) -> Self {
        Self {
            index: index.clone(),
            limits,
            permits: FetchPermits::new(limits),
            disk: Arc::new(DiskBudget::new(limits.spooled)),
            cache: AnswerCache::new(limits),
            capabilities: GitCapabilities::default(),
            parsing: Semaphore::new(PARSING),
            is_swept: AtomicBool::new(false),
            limit_warnings: LogLimit::new(),
            failure_warnings: LogLimit::new(),
        }
    }

    /// An empty answer and its first reader.
    pub fn spool(&self) -> (Arc<Spool>, Reader) {
        Spool::new(self.index.path(), Arc::clone(&self.disk))
    }

    /// Sets the disk space for answers: enough for several clones, but at most half of the free space.
    pub fn limit_disk(&self, sizes: PackSizes) {
        let limit = self.limits.spooled + self.limits.spooled_indexes * sizes.packs;
        let free = statvfs(self.index.path()).map_or(0, |disk| disk.blocks_available() * disk.fragment_size());
        self.disk.set_limit(limit.min(self.disk.used() + free / 2));
    }

    /// Logs that git reached a limit: once a minute as a warning, because any client can cause it.
    pub fn log_limit_reached(&self, reason: &str, stderr: &[u8]) {
        let stderr = readable_stderr(stderr);
        match self.limit_warnings.count() {
            Some(times) => tracing::warn!(reason, stderr, times, "git reached a limit of memory or time"),
            None => tracing::debug!(reason, stderr, "git reached a limit of memory or time"),
        }
    }

    /// Logs that git failed for another reason: once a minute as a warning, because any client can cause it.
    pub fn log_failure(&self, reason: &str, stderr: &[u8]) {
        let stderr = readable_stderr(stderr);
        match self.failure_warnings.count() {
            Some(times) => tracing::warn!(reason, stderr, times, "git upload-pack failed"),
            None => tracing::debug!(reason, stderr, "git upload-pack failed"),
        }
    }
}
