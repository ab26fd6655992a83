//! The limits of the git protocol.

use std::time::Duration;

/// The limits of a git service.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Git processes at the same time.
    pub processes: usize,
    /// Git processes at the same time for one client address.
    pub processes_by_address: usize,
    /// Clones for which git runs at the same time. Each needs a processor, and so does its client.
    pub clones: usize,
    /// Clones for which git runs at the same time for one client address.
    pub clones_by_address: usize,
    /// How long a clone waits for those before it: below the minute after which proxies give up.
    pub clone_wait: Duration,
    /// Requests that are being read or wait for an answer.
    pub requests: usize,
    /// Requests of one client address that are being read or wait for an answer.
    pub requests_by_address: usize,
    /// Answers to clones at the same time, from the wait for git to the last byte; and as many answers to other fetches.
    pub answers: usize,
    /// Answers at the same time for one client address.
    pub answers_by_address: usize,
    /// How long a request waits for any of these but the clones.
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
        // Half of the processors are for publishes and other requests.
        let clones = (cores / 2).clamp(1, processes / 2);
        Self {
            processes,
            processes_by_address: processes / 2,
            clones,
            clones_by_address: by_address(clones),
            clone_wait: Duration::from_secs(50),
            requests: 1024,
            requests_by_address: 32,
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

impl Limits {
    /// The default, but with this number of clones at the same time. Further processes are left for fetches of little.
    pub fn with_clones(clones: usize) -> Self {
        let usual = Self::default();
        let processes = usual.processes.max(2 * clones);
        let processes_by_address = processes / 2;
        Self { processes, processes_by_address, clones, clones_by_address: by_address(clones), ..usual }
    }
}

/// One address has half of them, so that it cannot have all.
fn by_address(clones: usize) -> usize {
    clones.div_ceil(2)
}
