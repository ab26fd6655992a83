//! Permits for fetches and git processes, with a limit for all clients and one for each client address.
//!
//! Addresses of this machine have no limit of their own: a local proxy that `--trusted-proxies` does not name sends the
//! requests of all clients.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::limits::Limits;
use crate::web::client_address::{AddressBlock, ClientAddress};

/// The permits of all clients.
#[derive(Debug)]
pub struct FetchPermits {
    limits: Limits,
    processes: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    /// Memory for requests, in KiB.
    pub request_kib: Arc<Semaphore>,
    clients: Mutex<HashMap<AddressBlock, Arc<ClientPermits>>>,
}

/// The permits of one client address.
#[derive(Debug)]
struct ClientPermits {
    processes: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

/// A client that acquires permits.
#[derive(Debug)]
pub struct Client {
    all: Arc<FetchPermits>,
    /// `None` for a client without a limit of its own.
    own: Option<(AddressBlock, Arc<ClientPermits>)>,
}

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The limit of this client is reached.
    Client,
    /// The limit of all clients is reached.
    All,
}

/// A permit for a git process.
pub type ProcessPermit = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// A permit for a fetch.
#[derive(Debug)]
pub struct AnswerPermit {
    _of_all: OwnedSemaphorePermit,
    _of_client: Option<OwnedSemaphorePermit>,
    _counted: Running,
    /// Dropped after the permits, because its `Drop` removes the limits of a client without permits.
    pub client: Arc<Client>,
}

/// Fetches of the git index that are being answered.
const RUNNING: &str = "supercargo_git_fetches_in_progress";
/// Fetches of the git index that were refused, by whose limit was reached.
const REFUSED: &str = "supercargo_git_fetches_refused_total";

/// Registers the help texts.
pub fn describe() {
    metrics::describe_gauge!(RUNNING, "Fetches of the git index that are being answered");
    metrics::describe_counter!(
        REFUSED,
        "Fetches of the git index that were refused, by limit: client (of its address) or all"
    );
    metrics::gauge!(RUNNING).set(0.0);
    for full in [Full::Client, Full::All] {
        metrics::counter!(REFUSED, "limit" => full.label()).absolute(0);
    }
}

/// A fetch that is being answered, as a metric.
#[derive(Debug)]
struct Running;

impl Running {
    fn begin() -> Self {
        metrics::gauge!(RUNNING).increment(1.0);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        metrics::gauge!(RUNNING).decrement(1.0);
    }
}

impl Full {
    fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::All => "all",
        }
    }

    fn counted(self) -> Self {
        metrics::counter!(REFUSED, "limit" => self.label()).increment(1);
        self
    }
}

impl FetchPermits {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            processes: Arc::new(Semaphore::new(limits.processes)),
            answers: Arc::new(Semaphore::new(limits.answers)),
            request_kib: Arc::new(Semaphore::new(limits.request_kib)),
            clients: Mutex::default(),
        })
    }

    /// The client with this address.
    pub fn client(self: &Arc<Self>, address: ClientAddress) -> Arc<Client> {
        let own = address.ip().and_then(limited).map(|key| {
            let mut clients = self.clients.lock();
            let permits = clients.entry(key).or_insert_with(|| {
                Arc::new(ClientPermits {
                    processes: Arc::new(Semaphore::new(self.limits.processes_by_address)),
                    answers: Arc::new(Semaphore::new(self.limits.answers_by_address)),
                })
            });
            (key, Arc::clone(permits))
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

    /// Waits for a permit for a fetch.
    pub async fn answer(self: Arc<Self>) -> Result<AnswerPermit, Full> {
        let of_client = self.of_client(|own| &own.answers).await.map_err(Full::counted)?;
        let of_all = self.of_all(&self.all.answers).await.map_err(Full::counted)?;
        Ok(AnswerPermit { _of_all: of_all, _of_client: of_client, _counted: Running::begin(), client: self })
    }

    /// Waits for a permit for a process. The client's own limit is checked first, so that no client fills the queue.
    pub async fn process(&self) -> Result<ProcessPermit, Full> {
        let of_client = self.of_client(|own| &own.processes).await.map_err(Full::counted)?;
        let of_all = self.of_all(&self.all.processes).await.map_err(Full::counted)?;
        Ok((of_all, of_client))
    }

    async fn of_client(
        &self,
        which: impl Fn(&ClientPermits) -> &Arc<Semaphore>,
    ) -> Result<Option<OwnedSemaphorePermit>, Full> {
        let Some((_, own)) = &self.own else { return Ok(None) };
        let permit = timeout(self.all.limits.wait, Arc::clone(which(own)).acquire_owned()).await;
        permit.ok().and_then(Result::ok).map(Some).ok_or(Full::Client)
    }

    async fn of_all(&self, which: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Full> {
        let permit = timeout(self.all.limits.wait, Arc::clone(which).acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or(Full::All)
    }
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
        let one = || permits.client(address("192.0.2.1")).answer();
        let (first, second) = (one().await.unwrap(), one().await.unwrap());
        assert_eq!(one().await.unwrap_err(), Full::Client);
        let others = [permits.client(address("192.0.2.2")), permits.client(address("127.0.0.1"))];
        let mut held = Vec::new();
        for other in others {
            held.push(other.answer().await.unwrap());
        }
        drop(first);
        held.push(one().await.unwrap());
        held.push(permits.client(ClientAddress::default()).answer().await.unwrap());
        assert_eq!(permits.client(address("::1")).answer().await.unwrap_err(), Full::All);
        drop((held, second));
        assert!(permits.clients.lock().is_empty(), "a client without permits takes no memory");
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
