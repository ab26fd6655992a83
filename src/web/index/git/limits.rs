//! The limits of the git protocol.

use std::time::Duration;

/// The limits of a git service.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Git processes at the same time.
    pub processes: usize,
    /// Git processes at the same time for one client address.
    pub processes_by_address: usize,
    /// Fetches at the same time, from the first byte of the request to the last byte of the answer.
    pub answers: usize,
    /// Fetches at the same time for one client address.
    pub answers_by_address: usize,
    /// How long a request waits for any of these.
    pub wait: Duration,
    /// Memory for all requests, in KiB.
    pub request_kib: usize,
    /// The time limit of a git process, not counting the time that it waits for clients.
    pub git_time: Duration,
    /// The time in which a client that is behind has to read at least [`Limits::least_read`] bytes.
    pub window: Duration,
    pub least_read: u64,
    /// Disk space for answers: this many bytes, plus [`Limits::spooled_indexes`] times the size of the index.
    pub spooled: u64,
    pub spooled_indexes: u64,
    /// Answers in the cache.
    pub cached: usize,
    /// How long an answer stays in the cache after the branch has moved.
    pub cached_outdated: Duration,
    /// How long an answer stays in the cache after its last use.
    pub cached_unused: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
        // At most 8, because each may need the memory of a clone.
        let processes = (2 * cores).clamp(4, 8);
        Self {
            processes,
            processes_by_address: processes / 2,
            answers: 512,
            answers_by_address: 16,
            wait: Duration::from_secs(30),
            request_kib: 32 * 1024,
            git_time: Duration::from_secs(600),
            window: Duration::from_secs(60),
            least_read: 60 * 4096,
            spooled: 1 << 30,
            spooled_indexes: 4,
            cached: 8,
            cached_outdated: Duration::from_secs(60),
            cached_unused: Duration::from_secs(3600),
        }
    }
}
