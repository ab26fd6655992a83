//! How much the git protocol may take: of processes, of memory, of the disk, and of all that by one client.
//!
//! Clients are told apart by their address; of an IPv6 address the network counts, because a client has all of its 64 bits
//! behind that. Addresses of this machine have no share of their own: a proxy here that is not named by `--trusted-proxies`
//! stands for everybody.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::web::ClientAddress;

/// The limits of a service.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// git processes at once.
    pub processes: usize,
    /// git processes at once for one address.
    pub processes_by_address: usize,
    /// Fetches at once, from the first byte of the request to the last one of the answer.
    pub answers: usize,
    /// The same for one address.
    pub answers_by_address: usize,
    /// How long a request waits for one of these.
    pub wait: Duration,
    /// Requests in memory, in KiB.
    pub request_kib: usize,
    /// The most time for git to finish, not counted while it waits for clients.
    pub git_time: Duration,
    /// A client that is behind has to take [`Limits::least_taken`] in each such time.
    pub window: Duration,
    /// In bytes.
    pub least_taken: u64,
    /// Answers on disk, in bytes: so many, and [`Limits::spooled_indexes`] times the size of the index.
    pub spooled: u64,
    pub spooled_indexes: u64,
    /// Answers that are kept for others.
    pub kept: usize,
    /// How long an answer is kept after the branch has moved on.
    pub kept_behind: Duration,
    /// How long an answer is kept that nobody wants.
    pub kept_unused: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
        // Memory is the reason for the upper bound: each may take what a clone needs.
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
            least_taken: 60 * 4096,
            spooled: 1 << 30,
            spooled_indexes: 4,
            kept: 8,
            kept_behind: Duration::from_secs(60),
            kept_unused: Duration::from_secs(3600),
        }
    }
}

/// What all clients share.
#[derive(Debug)]
pub struct Shared {
    pub limits: Limits,
    pub processes: Arc<Semaphore>,
    pub answers: Arc<Semaphore>,
    pub request_kib: Arc<Semaphore>,
    shares: Mutex<HashMap<IpAddr, Arc<Share>>>,
}

#[derive(Debug)]
struct Share {
    processes: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

/// A client, and its share of everything.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    share: Option<(IpAddr, Arc<Share>)>,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// This client has its share.
    OfThisClient,
    /// Others have everything.
    OfOthers,
}

/// The right to a process.
pub type ProcessPermit = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// The right to an answer.
#[derive(Debug)]
pub struct AnswerPermit {
    _of_all: OwnedSemaphorePermit,
    _of_client: Option<OwnedSemaphorePermit>,
    /// Behind the permits, so that the share is empty when it is looked at.
    pub client: Arc<Client>,
}

impl Shared {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            processes: Arc::new(Semaphore::new(limits.processes)),
            answers: Arc::new(Semaphore::new(limits.answers)),
            request_kib: Arc::new(Semaphore::new(limits.request_kib)),
            shares: Mutex::default(),
        })
    }

    /// The client of this address.
    pub fn client(self: &Arc<Self>, address: ClientAddress) -> Arc<Client> {
        let share = address.ip().and_then(whose).map(|key| {
            let mut shares = self.shares.lock();
            let share = shares.entry(key).or_insert_with(|| {
                Arc::new(Share {
                    processes: Arc::new(Semaphore::new(self.limits.processes_by_address)),
                    answers: Arc::new(Semaphore::new(self.limits.answers_by_address)),
                })
            });
            (key, Arc::clone(share))
        });
        Arc::new(Client { shared: Arc::clone(self), share })
    }
}

/// Whose share an address has; None: nobody's.
fn whose(address: IpAddr) -> Option<IpAddr> {
    match address {
        address if address.is_loopback() => None,
        IpAddr::V4(_) => Some(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Some(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
        }
    }
}

impl Client {
    /// Whose share this is; None: nobody's.
    pub fn address(&self) -> Option<IpAddr> {
        self.share.as_ref().map(|(address, _)| *address)
    }

    /// Waits for the right to an answer.
    pub async fn answer(self: Arc<Self>) -> Result<AnswerPermit, Full> {
        let of_client = self.of_client(|share| &share.answers).await?;
        let of_all = self.of_all(&self.shared.answers).await?;
        Ok(AnswerPermit { _of_all: of_all, _of_client: of_client, client: self })
    }

    /// Waits for the right to a process. The client's share comes first, so that no client fills the queue.
    pub async fn process(&self) -> Result<ProcessPermit, Full> {
        let of_client = self.of_client(|share| &share.processes).await?;
        let of_all = self.of_all(&self.shared.processes).await?;
        Ok((of_all, of_client))
    }

    async fn of_client(&self, which: impl Fn(&Share) -> &Arc<Semaphore>) -> Result<Option<OwnedSemaphorePermit>, Full> {
        let Some((_, share)) = &self.share else { return Ok(None) };
        let permit = timeout(self.shared.limits.wait, Arc::clone(which(share)).acquire_owned()).await;
        permit.ok().and_then(Result::ok).map(Some).ok_or(Full::OfThisClient)
    }

    async fn of_all(&self, which: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Full> {
        let permit = timeout(self.shared.limits.wait, Arc::clone(which).acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or(Full::OfOthers)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let Some((key, share)) = self.share.take() else { return };
        let mut shares = self.shared.shares.lock();
        // Who comes now has to wait for the lock: with the map's and this one nobody else has it.
        if Arc::strong_count(&share) == 2 {
            shares.remove(&key);
        }
    }
}

/// The room on the disk for answers.
#[derive(Debug)]
pub struct Room {
    used: AtomicU64,
    limit: AtomicU64,
}

impl Room {
    pub fn new(limit: u64) -> Self {
        Self { used: AtomicU64::new(0), limit: AtomicU64::new(limit) }
    }

    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether so many bytes are there.
    pub fn has(&self, bytes: u64) -> bool {
        self.used().saturating_add(bytes) <= self.limit.load(Ordering::Relaxed)
    }

    /// Takes so many bytes, if they are there.
    pub fn take(&self, bytes: u64) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let more = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ClientAddress {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[tokio::test]
    async fn a_client_has_its_share_and_leaves_the_rest_to_others() {
        let limits = Limits { answers: 5, answers_by_address: 2, wait: Duration::ZERO, ..Limits::default() };
        let shared = Shared::new(limits);
        let one = || shared.client(address("192.0.2.1")).answer();
        let (first, second) = (one().await.unwrap(), one().await.unwrap());
        assert_eq!(one().await.unwrap_err(), Full::OfThisClient);
        let others = [shared.client(address("192.0.2.2")), shared.client(address("127.0.0.1"))];
        let mut held = Vec::new();
        for other in others {
            held.push(other.answer().await.unwrap());
        }
        drop(first);
        held.push(one().await.unwrap());
        held.push(shared.client(ClientAddress::default()).answer().await.unwrap());
        assert_eq!(shared.client(address("::1")).answer().await.unwrap_err(), Full::OfOthers);
        drop((held, second));
        assert!(shared.shares.lock().is_empty(), "nothing is left of clients that are gone");
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let key = |text: &str| whose(text.parse().unwrap()).map(|key| key.to_string());
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), key("2001:db8:1:2::1"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!((key("::1"), key("127.9.9.9")), (None, None));
        assert_eq!(key("192.0.2.1").as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn the_room_on_the_disk_has_an_end() {
        let room = Room::new(10);
        assert!(room.take(7) && !room.take(4) && room.take(3) && !room.has(1));
        room.give_back(10);
        assert!(room.has(10) && room.used() == 0);
    }
}
