//! Places for connections: their number, the share of one client, and which connection is closed for a new one.
//!
//! When all places are taken, or all that one client may have, the connection that has been idle longest is closed, because
//! a new connection is more likely to carry a request. Idle is a connection without a request in progress: one that is
//! silent, sends a request head slowly, is in the TLS handshake, or is kept alive. Connections of trusted proxies are neither
//! counted as a client nor closed: their clients are counted by request.
//!
//! A client whose connections are all busy gets no further one, unless one client may have all places. When all places are
//! taken by busy connections, new ones wait in the kernel's backlog.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use metrics::Gauge;
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::web::bounds::Bound;
use crate::web::{AddressBlock, TrustedProxies};

/// All places of a listener.
pub(super) struct Places {
    permits: Arc<Semaphore>,
    count: u32,
    per_address: u32,
    trusted: TrustedProxies,
    taken: Mutex<Taken>,
    /// Notified when a connection becomes idle.
    one_is_idle: Arc<Notify>,
    open: Gauge,
}

/// Open connections, by listener.
pub const OPEN: &str = "supercargo_http_connections";
/// The most connections that may be open, by listener.
pub const MOST: &str = "supercargo_http_connections_max";

#[derive(Default)]
struct Taken {
    connections: HashMap<u64, Connection>,
    by_address: HashMap<AddressBlock, u32>,
    next: u64,
}

struct Connection {
    activity: Arc<Activity>,
    /// None for a trusted proxy.
    address: Option<AddressBlock>,
}

/// The requests of a connection.
pub(super) struct Activity {
    state: Mutex<State>,
    one_is_idle: Arc<Notify>,
    close: Notify,
}

struct State {
    requests: u32,
    idle_since: Instant,
}

/// A taken place, freed on drop.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    pub(super) activity: Arc<Activity>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(listener: &'static str, count: u32, per_address: u32, trusted: TrustedProxies) -> Self {
        metrics::gauge!(MOST, "listener" => listener).set(count);
        Self {
            open: metrics::gauge!(OPEN, "listener" => listener),
            permits: Arc::new(Semaphore::new(count as usize)),
            count,
            per_address,
            trusted,
            taken: Mutex::default(),
            one_is_idle: Arc::default(),
        }
    }

    /// A place for an accepted connection; another one may be closed for it. None if its client has its full share and all of
    /// them are busy.
    pub(super) async fn find(self: &Arc<Self>, peer: SocketAddr) -> Option<Place> {
        let address = self.address(peer);
        let made = self.make_room_of(address)?;
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if made => self.permit().await?,
            Err(_) => self.permit_of_an_idle_one(peer).await?,
        };
        Some(self.take(address, permit))
    }

    /// A place during shutdown: without waiting and without closing others.
    pub(super) fn find_now(self: &Arc<Self>, peer: SocketAddr) -> Option<Place> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(self.take(self.address(peer), permit))
    }

    /// Waits until no connection is left.
    pub(super) async fn all_free(&self) {
        let _all = self.permits.acquire_many(self.count).await;
    }

    /// The client of a connection; None for a trusted proxy.
    fn address(&self, peer: SocketAddr) -> Option<AddressBlock> {
        (!self.trusted.contains(peer.ip())).then(|| peer.ip().into())
    }

    /// Enforces the share of one client: true if one of its idle connections was closed, None if it has no idle one to close.
    fn make_room_of(&self, address: Option<AddressBlock>) -> Option<bool> {
        let Some(address) = address else { return Some(false) };
        let mut taken = self.taken.lock();
        let is_below = |&connections: &u32| connections < self.per_address;
        // A client that may have all places waits for them like every other.
        if self.per_address >= self.count || taken.by_address.get(&address).is_none_or(is_below) {
            return Some(false);
        }
        let made = taken.close_idle(|connection| connection.address == Some(address));
        drop(taken);
        Bound::AddressConnections.met_by(address);
        made.then_some(true)
    }

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    async fn permit_of_an_idle_one(&self, peer: SocketAddr) -> Option<OwnedSemaphorePermit> {
        loop {
            if self.taken.lock().close_idle(|connection| connection.address.is_some()) {
                Bound::IdleConnections.met_by(peer.ip());
                return self.permit().await;
            }
            Bound::Connections.met_by(peer.ip());
            tokio::select! {
                permit = self.permit() => return permit,
                () = self.one_is_idle.notified() => {}
            }
        }
    }

    fn take(self: &Arc<Self>, address: Option<AddressBlock>, permit: OwnedSemaphorePermit) -> Place {
        let activity = Arc::new(Activity::new(Arc::clone(&self.one_is_idle)));
        let mut taken = self.taken.lock();
        let number = taken.next;
        taken.next += 1;
        if let Some(address) = address {
            *taken.by_address.entry(address).or_default() += 1;
        }
        taken.connections.insert(number, Connection { activity: Arc::clone(&activity), address });
        drop(taken);
        self.open.increment(1);
        Place { places: Arc::clone(self), number, activity, _permit: permit }
    }
}

impl Taken {
    /// Closes the matching connection that has been idle longest; false if none of them is idle.
    fn close_idle(&mut self, matches: impl Fn(&Connection) -> bool) -> bool {
        let candidates = self.connections.iter().filter(|(_, connection)| matches(connection));
        let idle = candidates.filter_map(|(&number, connection)| Some((connection.activity.idle_since()?, number)));
        let Some((_, number)) = idle.min() else { return false };
        // No longer counted, although its task may take a moment to end.
        if let Some(connection) = self.remove(number) {
            connection.activity.close.notify_one();
        }
        true
    }

    fn remove(&mut self, number: u64) -> Option<Connection> {
        let connection = self.connections.remove(&number)?;
        if let Some(address) = connection.address
            && let Some(connections) = self.by_address.get_mut(&address)
        {
            *connections -= 1;
            if *connections == 0 {
                self.by_address.remove(&address);
            }
        }
        Some(connection)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.lock().remove(self.number);
        self.places.open.decrement(1);
    }
}

impl Activity {
    fn new(one_is_idle: Arc<Notify>) -> Self {
        let state = State { requests: 0, idle_since: Instant::now() };
        Self { state: Mutex::new(state), one_is_idle, close: Notify::new() }
    }

    /// Registers a request until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Request {
        self.state.lock().requests += 1;
        Request(Arc::clone(self))
    }

    fn idle_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        (state.requests == 0).then_some(state.idle_since)
    }

    /// Waits until the connection has to close for another one.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }
}

/// A request on a connection, from its head to the end of its answer.
pub(super) struct Request(Arc<Activity>);

impl Drop for Request {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.requests -= 1;
        if state.requests == 0 {
            state.idle_since = Instant::now();
            drop(state);
            self.0.one_is_idle.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 1234)
    }

    fn places(count: u32, per_address: u32) -> Arc<Places> {
        let trusted = TrustedProxies::new(&["10.0.0.0/8".parse().unwrap()]);
        Arc::new(Places::new("test", count, per_address, trusted))
    }

    /// A connection task, which ends when the connection has to close.
    fn hold(place: Place) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move { place.activity.closed().await })
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    #[test]
    fn a_new_connection_takes_the_place_of_the_one_that_is_idle_longest() {
        run(async {
            let places = places(3, 3);
            let [a, b, c] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(peer);
            let working = places.find(a).await.unwrap();
            let request = working.activity.begin();
            let oldest = hold(places.find(b).await.unwrap());
            let newer = hold(places.find(c).await.unwrap());
            let fourth = places.find(peer("192.0.2.4")).await.unwrap();
            oldest.await.unwrap();
            assert!(!newer.is_finished());
            drop((request, fourth));
        });
    }

    #[test]
    fn a_client_closes_its_own_connections_and_gets_no_more_when_all_of_them_work() {
        run(async {
            let places = places(10, 2);
            let [one, other] = ["192.0.2.1", "192.0.2.2"].map(peer);
            let idle = hold(places.find(other).await.unwrap());
            let first = places.find(one).await.unwrap();
            let _first = first.activity.begin();
            let second = hold(places.find(one).await.unwrap());
            let third = places.find(one).await.unwrap();
            second.await.unwrap();
            let _third = third.activity.begin();
            assert!(places.find(one).await.is_none());
            assert!(places.find(other).await.is_some() && !idle.is_finished());
            drop(first);
            assert!(places.find(one).await.is_some());
        });
    }

    #[test]
    fn a_trusted_proxy_has_as_many_as_there_are_and_keeps_them() {
        run(async {
            let places = places(3, 1);
            let proxy = peer("10.0.0.1");
            let held = [places.find(proxy).await.unwrap(), places.find(proxy).await.unwrap()];
            let client = hold(places.find(peer("192.0.2.1")).await.unwrap());
            let third = places.find(proxy).await.unwrap();
            client.await.unwrap();
            let waiting = tokio::spawn({
                let places = Arc::clone(&places);
                async move { places.find(peer("192.0.2.1")).await.is_some() }
            });
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
            drop(held);
            assert!(waiting.await.unwrap());
            drop(third);
        });
    }

    #[test]
    fn a_waiting_connection_gets_the_place_of_one_that_becomes_idle() {
        run(async {
            let places = places(1, 1);
            let working = places.find(peer("192.0.2.1")).await.unwrap();
            let request = working.activity.begin();
            let held = hold(working);
            let waiting = tokio::spawn({
                let places = Arc::clone(&places);
                async move { places.find(peer("192.0.2.2")).await.is_some() }
            });
            tokio::task::yield_now().await;
            assert!(!held.is_finished());
            drop(request);
            assert!(waiting.await.unwrap());
            held.await.unwrap();
            places.all_free().await;
        });
    }
}
