//! The limit on work for the pages of sources and differences: they are the dear ones, and crawlers find a great many of them.
//!
//! What is in memory costs nothing here. Everything else takes one of a few slots, so that it leaves threads and processors
//! for cargo, and its time counts for the client that it was done for: a client may take some seconds at once, and a share of
//! a processor in the long run. Requests beyond that get 429 and the time to wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::permits::{Permit, Permits};
use crate::web::bounds::Bound;
use crate::web::client_address::{AddressBlock, ClientAddress, TrustedProxies};
use crate::web::error::ApiError;

/// What a client may take at once.
const AT_ONCE: Duration = Duration::from_secs(20);
/// The part of a processor that a client may take in the long run: one of this many.
const SHARE: u32 = 4;
/// How many requests of a client wait or work at the same time.
const IN_PROGRESS: u32 = 32;
/// How long a request waits for a slot.
const WAIT: Duration = Duration::from_secs(20);
/// The number of clients above which those that owe nothing are forgotten.
const CLIENTS: usize = 10_000;

/// Counts the work for each client. Clones count together.
#[derive(Clone)]
pub struct SourceWork(Arc<Parts>);

struct Parts {
    at_once: Duration,
    trusted: TrustedProxies,
    slots: Arc<Semaphore>,
    in_progress: Permits<AddressBlock>,
    taken: Mutex<HashMap<AddressBlock, Taken>>,
}

/// The time that a client has taken, as of a moment; it decreases with the time that passes.
#[derive(Clone, Copy)]
struct Taken {
    time: Duration,
    at: Instant,
}

/// The work of one request.
pub(crate) struct Working {
    work: SourceWork,
    client: Option<AddressBlock>,
    _in_progress: Option<Permit<AddressBlock>>,
    _slot: OwnedSemaphorePermit,
}

impl SourceWork {
    /// The limit of a registry.
    pub fn usual(trusted: TrustedProxies) -> Self {
        Self::new(AT_ONCE, trusted)
    }

    /// Each client may take `at_once`. A trusted proxy that sends a request without its client's address has no limit.
    pub fn new(at_once: Duration, trusted: TrustedProxies) -> Self {
        let slots = std::thread::available_parallelism().map_or(2, |processors| processors.get().clamp(2, 8));
        Self(Arc::new(Parts {
            at_once,
            trusted,
            slots: Arc::new(Semaphore::new(slots)),
            in_progress: Permits::new(IN_PROGRESS),
            taken: Mutex::default(),
        }))
    }

    /// Waits for a slot. It is free again when the result is dropped.
    pub(crate) async fn begin(&self, client: ClientAddress) -> Result<Working, ApiError> {
        let client = client.ip().filter(|&ip| !self.0.trusted.contains(ip)).map(AddressBlock::from);
        let in_progress = match client {
            Some(client) => Some(self.admit(client)?),
            None => None,
        };
        let slot = timeout(WAIT, Arc::clone(&self.0.slots).acquire_owned()).await;
        let slot = slot.map_err(|_| {
            Bound::SourceWork.met();
            ApiError::busy("too many sources and differences are being read: try again shortly")
        })?;
        let slot = slot.map_err(ApiError::internal)?;
        Ok(Working { work: self.clone(), client, _in_progress: in_progress, _slot: slot })
    }

    fn admit(&self, client: AddressBlock) -> Result<Permit<AddressBlock>, ApiError> {
        let refused = |detail: String, seconds: u64| {
            Bound::SourceWork.met_by(client);
            Err(ApiError::too_many(detail).retry_after(seconds))
        };
        if let Some(wait) = self.wait(client, Instant::now()) {
            let seconds = wait.as_secs() + 1;
            let detail = format!(
                "{client} has asked for more sources and differences than one client may: wait {seconds} seconds, or \
                 download the crate file, which has everything"
            );
            return refused(detail, seconds);
        }
        match self.0.in_progress.acquire(client) {
            Some(permit) => Ok(permit),
            None => refused(format!("{client} has {IN_PROGRESS} sources in progress: wait until some are answered"), 2),
        }
    }

    /// How long the client has to wait until it may take more; None if it may now.
    fn wait(&self, client: AddressBlock, now: Instant) -> Option<Duration> {
        let taken = self.0.taken.lock().get(&client)?.as_of(now);
        let above = taken.time.checked_sub(self.0.at_once)?;
        Some(above * SHARE)
    }

    fn take(&self, client: AddressBlock, time: Duration, now: Instant) {
        let mut taken = self.0.taken.lock();
        if taken.len() >= CLIENTS {
            taken.retain(|_, one| !one.as_of(now).time.is_zero());
        }
        let one = taken.entry(client).or_insert(Taken { time: Duration::ZERO, at: now });
        *one = one.as_of(now);
        one.time += time;
    }
}

impl Taken {
    fn as_of(self, now: Instant) -> Self {
        let passed = now.saturating_duration_since(self.at) / SHARE;
        Self { time: self.time.saturating_sub(passed), at: now }
    }
}

impl Working {
    /// Does the work, and counts its time.
    pub fn run<T>(self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        if let Some(client) = self.client {
            self.work.take(client, began.elapsed(), Instant::now());
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn client(address: &str) -> AddressBlock {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn a_client_that_took_too_much_waits_until_its_share_has_made_up_for_it() {
        let work = SourceWork::new(Duration::from_secs(10), TrustedProxies::default());
        let (start, one, other) = (Instant::now(), client("192.0.2.1"), client("192.0.2.2"));
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(work.wait(one, start), None);
        work.take(one, Duration::from_secs(6), start);
        assert_eq!(work.wait(one, start), None);
        work.take(one, Duration::from_secs(6), start);
        assert_eq!(work.wait(one, start), Some(Duration::from_secs(8)));
        assert_eq!(work.wait(other, start), None);
        assert_eq!(work.wait(one, after(4)), Some(Duration::from_secs(4)));
        assert_eq!(work.wait(one, after(9)), None);
        work.take(one, Duration::from_secs(1), after(48));
        assert_eq!(work.wait(one, after(48)), None, "nothing is left after four times as long");
    }

    #[test]
    fn clients_that_owe_nothing_are_forgotten() {
        let work = SourceWork::new(Duration::from_secs(10), TrustedProxies::default());
        let start = Instant::now();
        for number in 0..CLIENTS {
            let address = IpAddr::from([10, 0, (number / 250) as u8, (number % 250) as u8]);
            work.take(address.into(), Duration::from_millis(4), start);
        }
        work.take(client("192.0.2.1"), Duration::from_secs(1), start + Duration::from_secs(1));
        assert_eq!(work.0.taken.lock().len(), 1);
    }
}
