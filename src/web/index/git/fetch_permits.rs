//! Permits for fetches and git processes, with a limit for all clients and one for each client address.
//!
//! Addresses of this machine have no limit of their own: a local proxy that `--trusted-proxies` does not name sends the
//! requests of all clients.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::fetch_metrics::{ANSWERS, CLONES, Counted, WAITING_CLONES, count_refusal};
use super::limits::Limits;
use crate::web::client_address::{AddressBlock, ClientAddress};

/// The permits of all clients.
#[derive(Debug)]
pub struct FetchPermits {
    limits: Limits,
    of_all: Counts,
    /// Memory for requests, in KiB.
    pub request_kib: Arc<Semaphore>,
    clients: Mutex<HashMap<AddressBlock, Arc<Counts>>>,
}

/// What can be acquired. Each semaphore gives its permits in the order of the requests, and a request that is dropped leaves
/// the queue.
#[derive(Debug)]
struct Counts {
    requests: Arc<Semaphore>,
    clone_answers: Arc<Semaphore>,
    other_answers: Arc<Semaphore>,
    processes: Arc<Semaphore>,
    clones: Arc<Semaphore>,
}

/// A client that acquires permits.
#[derive(Debug)]
pub struct Client {
    all: Arc<FetchPermits>,
    /// `None` for a client without a limit of its own.
    own: Option<(AddressBlock, Arc<Counts>)>,
}

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The limit of this client is reached.
    Client,
    /// The limit of all clients is reached.
    All,
    /// A clone has waited for those before it for too long.
    Clones,
}

/// A permit of all clients together, and that of one client.
#[derive(Debug)]
struct Permit {
    _of_all: OwnedSemaphorePermit,
    _of_client: Option<OwnedSemaphorePermit>,
}

/// A permit for a git process.
#[derive(Debug)]
pub struct ProcessPermit {
    _process: Permit,
    /// For a clone.
    pub clone: Option<ClonePermit>,
}

/// A permit for a clone, while git works at its own pace.
#[derive(Debug)]
pub struct ClonePermit {
    _permit: Permit,
    _counted: Counted,
}

/// A permit to send a request.
#[derive(Debug)]
pub struct RequestPermit {
    _permit: Permit,
    /// Dropped after the permit, because its `Drop` removes the limits of a client without permits.
    pub client: Arc<Client>,
}

/// A permit for an answer with objects.
#[derive(Debug)]
pub struct AnswerPermit {
    _permit: Permit,
    _counted: Counted,
    /// Dropped after the permit, as above.
    pub client: Arc<Client>,
}

impl Full {
    fn counted(self) -> Self {
        count_refusal(match self {
            Self::Client => "client",
            Self::All => "all",
            Self::Clones => "clones",
        });
        self
    }
}

impl Counts {
    fn new([requests, answers, processes, clones]: [usize; 4]) -> Self {
        let [requests, clone_answers, other_answers, processes, clones] =
            [requests, answers, answers, processes, clones].map(|count| Arc::new(Semaphore::new(count)));
        Self { requests, clone_answers, other_answers, processes, clones }
    }
}

impl FetchPermits {
    pub fn new(limits: Limits) -> Arc<Self> {
        let Limits { requests, answers, processes, clones, .. } = limits;
        Arc::new(Self {
            limits,
            of_all: Counts::new([requests, answers, processes, clones]),
            request_kib: Arc::new(Semaphore::new(limits.request_kib)),
            clients: Mutex::default(),
        })
    }

    /// The client with this address.
    pub fn client(self: &Arc<Self>, address: ClientAddress) -> Arc<Client> {
        let own = address.ip().and_then(limited).map(|key| {
            let mut clients = self.clients.lock();
            let counts = clients.entry(key).or_insert_with(|| {
                let limits = &self.limits;
                Arc::new(Counts::new([
                    limits.requests_by_address,
                    limits.answers_by_address,
                    limits.processes_by_address,
                    limits.clones_by_address,
                ]))
            });
            (key, Arc::clone(counts))
        });
        Arc::new(Client { all: Arc::clone(self), own })
    }
}

/// The address block that has a limit of its own; `None` for addresses of this machine.
fn limited(address: IpAddr) -> Option<AddressBlock> {
    (!address.is_loopback()).then(|| address.into())
}

impl Client {
    /// The address block that this client's limits are for, if it has limits of its own.
    pub fn address(&self) -> Option<AddressBlock> {
        self.own.as_ref().map(|(address, _)| *address)
    }

    /// Waits for a permit to send a request.
    pub async fn request(self: Arc<Self>) -> Result<RequestPermit, Full> {
        let permit = self.permit(|counts| &counts.requests, self.all.limits.wait).await.map_err(Full::counted)?;
        Ok(RequestPermit { _permit: permit, client: self })
    }

    /// Waits for a permit for an answer with objects. Those of clones are apart from others.
    pub async fn answer(self: Arc<Self>, is_clone: bool) -> Result<AnswerPermit, Full> {
        let wait = self.all.limits.wait;
        let permit = if is_clone {
            self.permit(|counts| &counts.clone_answers, wait).await
        } else {
            self.permit(|counts| &counts.other_answers, wait).await
        };
        let permit = permit.map_err(Full::counted)?;
        Ok(AnswerPermit { _permit: permit, _counted: Counted::one(ANSWERS), client: self })
    }

    /// Waits for a permit for a process. A clone first waits for those before it, so that they never have all processes.
    pub async fn process(&self, is_clone: bool) -> Result<ProcessPermit, Full> {
        if is_clone {
            return self.process_of_clone().await.map_err(Full::counted);
        }
        let process = self.permit(|counts| &counts.processes, self.all.limits.wait).await.map_err(Full::counted)?;
        Ok(ProcessPermit { _process: process, clone: None })
    }

    /// The permits of the client come first, so that it keeps no other waiting while it waits for its own.
    async fn process_of_clone(&self) -> Result<ProcessPermit, Full> {
        let waiting = Counted::one(WAITING_CLONES);
        let until = Instant::now() + self.all.limits.clone_wait;
        let own_clone = self.of_client(|counts| &counts.clones, until).await?;
        let own_process = self.of_client(|counts| &counts.processes, until).await?;
        let clone = acquire(&self.all.of_all.clones, until).await.ok_or(Full::Clones)?;
        let until = until.min(Instant::now() + self.all.limits.wait);
        let process = acquire(&self.all.of_all.processes, until).await.ok_or(Full::All)?;
        drop(waiting);
        let permit = Permit { _of_all: clone, _of_client: own_clone };
        Ok(ProcessPermit {
            _process: Permit { _of_all: process, _of_client: own_process },
            clone: Some(ClonePermit { _permit: permit, _counted: Counted::one(CLONES) }),
        })
    }

    /// Waits for one of the permits. The client's own limit is checked first, so that no client fills the queue.
    async fn permit(&self, which: impl Fn(&Counts) -> &Arc<Semaphore>, wait: Duration) -> Result<Permit, Full> {
        let until = Instant::now() + wait;
        let of_client = self.of_client(&which, until).await?;
        let of_all = acquire(which(&self.all.of_all), until).await.ok_or(Full::All)?;
        Ok(Permit { _of_all: of_all, _of_client: of_client })
    }

    async fn of_client(
        &self,
        which: impl Fn(&Counts) -> &Arc<Semaphore>,
        until: Instant,
    ) -> Result<Option<OwnedSemaphorePermit>, Full> {
        let Some((_, own)) = &self.own else { return Ok(None) };
        acquire(which(own), until).await.map(Some).ok_or(Full::Client)
    }
}

/// Waits for a permit; `None` if there is none in time.
async fn acquire(permits: &Arc<Semaphore>, until: Instant) -> Option<OwnedSemaphorePermit> {
    timeout_at(until, Arc::clone(permits).acquire_owned()).await.ok()?.ok()
}

impl Drop for Client {
    fn drop(&mut self) {
        let Some((key, own)) = self.own.take() else { return };
        let mut clients = self.all.clients.lock();
        // The map's reference and this one are the last two, and under the lock no other can be made.
        if Arc::strong_count(&own) == 2 {
            clients.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(text: &str) -> ClientAddress {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[tokio::test]
    async fn each_client_has_its_own_limit_and_all_have_one_together() {
        let limits = Limits { answers: 5, answers_by_address: 2, wait: Duration::ZERO, ..Limits::default() };
        let permits = FetchPermits::new(limits);
        let one = || permits.client(address("192.0.2.1")).answer(true);
        let (first, second) = (one().await.unwrap(), one().await.unwrap());
        assert_eq!(one().await.unwrap_err(), Full::Client);
        let others = [permits.client(address("192.0.2.2")), permits.client(address("127.0.0.1"))];
        let mut held = Vec::new();
        for other in others {
            held.push(other.answer(true).await.unwrap());
        }
        drop(first);
        held.push(one().await.unwrap());
        held.push(permits.client(ClientAddress::default()).answer(true).await.unwrap());
        assert_eq!(permits.client(address("::1")).answer(true).await.unwrap_err(), Full::All);
        drop((held, second));
        assert!(permits.clients.lock().is_empty(), "a client without permits takes no memory");
    }

    #[tokio::test]
    async fn clones_get_their_permits_in_order_and_leave_processes_for_others() {
        let limits = Limits { clones: 1, processes: 2, clone_wait: Duration::from_secs(60), ..Limits::default() };
        let permits = FetchPermits::new(limits);
        let client = permits.client(address("127.0.0.1"));
        let first = client.process(true).await.unwrap();
        let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
        let mut waiting = Vec::new();
        for number in 0..4 {
            let (client, done) = (Arc::clone(&client), done.clone());
            waiting.push(tokio::spawn(async move {
                let permit = client.process(true).await.unwrap();
                done.send(number).unwrap();
                drop(permit);
            }));
            tokio::task::yield_now().await;
        }
        let other = client.process(false).await.unwrap();
        waiting[1].abort();
        tokio::task::yield_now().await;
        assert!(order.try_recv().is_err());
        drop((first, other, done));
        let mut seen = Vec::new();
        while let Some(number) = order.recv().await {
            seen.push(number);
        }
        assert_eq!(seen, [0, 2, 3]);
    }

    #[tokio::test]
    async fn one_address_cannot_have_all_clones() {
        let limits = Limits { clone_wait: Duration::ZERO, wait: Duration::ZERO, ..Limits::with_clones(2) };
        let permits = FetchPermits::new(limits);
        let (one, other) = (permits.client(address("192.0.2.1")), permits.client(address("192.0.2.2")));
        let _first = one.process(true).await.unwrap();
        assert_eq!(one.process(true).await.unwrap_err(), Full::Client);
        let _second = other.process(true).await.unwrap();
        let third = permits.client(address("192.0.2.3"));
        assert_eq!(third.process(true).await.unwrap_err(), Full::Clones);
        let _no_clone = one.process(false).await.unwrap();
    }

    #[test]
    fn addresses_of_this_machine_have_no_limit_and_an_ipv6_network_has_one() {
        let key = |text: &str| limited(text.parse().unwrap()).map(|key| key.to_string());
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), key("2001:db8:1:2::1"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!((key("::1"), key("127.9.9.9")), (None, None));
        assert_eq!(key("192.0.2.1").as_deref(), Some("192.0.2.1"));
    }
}
