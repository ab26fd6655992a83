//! The limit on streams of events: each keeps a connection open while nothing happens, and there must be connections left
//! for cargo. A stream holds neither a database connection nor a thread.
//!
//! A page that gets no stream asks again and again instead. At shutdown all streams end at once.

use std::sync::Arc;
use std::time::Duration;

use metrics::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::permits::{Permit, Permits};
use crate::web::bounds::Bound;
use crate::web::client_address::{AddressBlock, ClientAddress, TrustedProxies};
use crate::web::error::ApiError;

/// The open streams.
pub const OPEN: &str = "supercargo_status_streams";

/// The most streams of all clients, and of one.
const STREAMS: u32 = 256;
const OF_CLIENT: u32 = 32;
/// The part of the connections that streams may take: one of this many.
const SHARE: u32 = 4;
/// How long a stream lasts. Its client begins another one.
const LIFE: Duration = Duration::from_secs(5 * 60);
/// When a refused client may try again, in seconds.
const RETRY_AFTER: u64 = 5;

/// Counts the streams. Clones count together.
#[derive(Clone)]
pub struct StatusStreams(Arc<Parts>);

struct Parts {
    slots: Arc<Semaphore>,
    of_clients: Permits<AddressBlock>,
    trusted: TrustedProxies,
    stopping: watch::Sender<bool>,
    open: Gauge,
}

/// An open stream, until it is dropped.
pub(crate) struct OpenStream {
    stopping: watch::Receiver<bool>,
    until: Instant,
    open: Gauge,
    _slot: OwnedSemaphorePermit,
    _of_client: Option<Permit<AddressBlock>>,
}

impl StatusStreams {
    /// Allows as many as leave most connections to others: of all, and of those of one client.
    pub fn beside(connections: u32, per_address: u32, trusted: TrustedProxies) -> Self {
        let share = |connections: u32, most: u32| (connections / SHARE).clamp(1, most);
        Self::new(share(connections, STREAMS), share(per_address, OF_CLIENT), trusted)
    }

    /// Allows `streams` at the same time, and `of_client` of each client. A trusted proxy that sends a request without its
    /// client's address has no limit of its own.
    pub fn new(streams: u32, of_client: u32, trusted: TrustedProxies) -> Self {
        Self(Arc::new(Parts {
            slots: Arc::new(Semaphore::new(streams as usize)),
            of_clients: Permits::new(of_client),
            trusted,
            stopping: watch::Sender::new(false),
            open: metrics::gauge!(OPEN),
        }))
    }

    /// Counts a stream until the result is dropped.
    pub(crate) fn begin(&self, client: ClientAddress) -> Result<OpenStream, ApiError> {
        let Parts { slots, of_clients, trusted, stopping, open } = &*self.0;
        if *stopping.borrow() {
            return Err(
                ApiError::busy("the registry is being stopped: ask for the page again").retry_after(RETRY_AFTER)
            );
        }
        let client = client.ip().filter(|&ip| !trusted.contains(ip)).map(AddressBlock::from);
        let of_client = match client.map(|client| of_clients.acquire(client).ok_or(client)).transpose() {
            Ok(permit) => permit,
            Err(client) => {
                Bound::StatusStreams.met_by(client);
                let most = of_clients.limit();
                let detail = format!(
                    "{client} follows {most} versions already: close some, or ask for the page again and again"
                );
                return Err(ApiError::busy(detail).retry_after(RETRY_AFTER));
            }
        };
        let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
            Bound::StatusStreams.met();
            let detail = "too many clients follow the status of versions: ask for the page again and again";
            return Err(ApiError::busy(detail).retry_after(RETRY_AFTER));
        };
        open.increment(1.0);
        Ok(OpenStream {
            stopping: stopping.subscribe(),
            until: Instant::now() + LIFE,
            open: open.clone(),
            _slot: slot,
            _of_client: of_client,
        })
    }

    /// Ends all streams, and refuses others from now on.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }
}

impl OpenStream {
    /// Waits until the stream has to end: its time is over, or the server stops.
    pub async fn ends(&mut self) {
        tokio::select! {
            // An error means that the server is gone.
            _ = self.stopping.wait_for(|stopping| *stopping) => {}
            () = tokio::time::sleep_until(self.until) => {}
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.open.decrement(1.0);
    }
}

/// Describes the gauge and sets it to 0.
pub fn describe() {
    metrics::describe_gauge!(OPEN, "Open streams of events that follow the status of versions");
    metrics::gauge!(OPEN).set(0.0);
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn client(address: &str) -> ClientAddress {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn streams_are_limited_in_all_and_for_each_client_and_take_a_part_of_the_connections() {
        let streams = StatusStreams::new(3, 2, TrustedProxies::default());
        let first = streams.begin(client("192.0.2.1")).unwrap();
        let _second = streams.begin(client("192.0.2.1")).unwrap();
        let refused = streams.begin(client("192.0.2.1")).err().unwrap();
        assert!(refused.to_string().starts_with("192.0.2.1 follows 2 versions already"), "{refused}");
        let _third = streams.begin(client("192.0.2.2")).unwrap();
        assert!(streams.begin(client("192.0.2.2")).is_err(), "three is the limit for all");
        drop(first);
        let _fourth = streams.begin(client("192.0.2.2")).unwrap();
        for (connections, per_address, expected) in [(4096, 1024, (256, 32)), (100, 8, (25, 2)), (1, 1, (1, 1))] {
            let streams = StatusStreams::beside(connections, per_address, TrustedProxies::default());
            assert_eq!((streams.0.slots.available_permits(), streams.0.of_clients.limit()), expected);
        }
    }

    #[test]
    fn a_stop_ends_streams_and_refuses_others() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let streams = StatusStreams::new(1, 1, TrustedProxies::default());
            let mut open = streams.begin(ClientAddress::default()).unwrap();
            streams.stop();
            open.ends().await;
            drop(open);
            let refused = streams.begin(ClientAddress::default()).err().unwrap();
            assert!(refused.to_string().contains("is being stopped"), "{refused}");
        });
    }
}
