//! Requests of commands, which wait for an upstream that has a pause or is in trouble, where a client would get an error.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;

use super::client::FetchError;

/// Attempts, and the wait after the first one that failed. It doubles after each further one.
const TRIES: u32 = 7;
const WAIT: Duration = Duration::from_millis(500);
/// How often it is looked whether the command is to stop.
const GLANCE: Duration = Duration::from_millis(100);

/// Whether a command is to stop.
pub type Stopped<'a> = &'a (dyn Fn() -> bool + Sync);

/// Why there is no result.
pub(super) enum GaveUp<E> {
    Failed(E),
    Stopped,
}

/// An error that may be one of a request.
pub(super) trait MayBeFetch {
    fn of_fetch(&self) -> Option<&FetchError>;
}

impl MayBeFetch for FetchError {
    fn of_fetch(&self) -> Option<&FetchError> {
        Some(self)
    }
}

/// Tries until there is a result, or an error that another attempt would not change, or too many attempts have failed.
pub(super) fn persevere<T, E: MayBeFetch, F: Future<Output = Result<T, E>>>(
    runtime: &Handle,
    stopped: Stopped<'_>,
    attempt: impl Fn() -> F,
) -> Result<T, GaveUp<E>> {
    let mut wait = WAIT;
    for last in (1..=TRIES).map(|number| number == TRIES) {
        let error = match until_stopped(runtime, stopped, attempt()).ok_or(GaveUp::Stopped)? {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let wanted = match error.of_fetch() {
            Some(FetchError::Pausing(_, seconds)) => Duration::from_secs(*seconds),
            Some(fetch) if fetch.is_outage() => wait,
            _ => return Err(GaveUp::Failed(error)),
        };
        if last {
            return Err(GaveUp::Failed(error));
        }
        pause(runtime, stopped, wanted).ok_or(GaveUp::Stopped)?;
        wait *= 2;
    }
    Err(GaveUp::Stopped)
}

/// Waits, unless the command is stopped before.
pub(super) fn pause(runtime: &Handle, stopped: Stopped<'_>, wait: Duration) -> Option<()> {
    // A timer is made in the runtime.
    until_stopped(runtime, stopped, async { tokio::time::sleep(wait).await })
}

/// The result of something, unless the command is stopped before.
fn until_stopped<T>(runtime: &Handle, stopped: Stopped<'_>, work: impl Future<Output = T>) -> Option<T> {
    runtime.block_on(async {
        let mut work = std::pin::pin!(work);
        loop {
            if stopped() {
                return None;
            }
            if let Ok(done) = tokio::time::timeout(GLANCE, work.as_mut()).await {
                return Some(done);
            }
        }
    })
}
