//! Reading request bodies within limits of size and time.
//!
//! Only the time spent waiting for the body counts, not the time that the server takes to store it. A small body has ten
//! seconds in all. A larger one must keep a rate: 8 KiB a second over each half minute, half the capacity of a 128 kbit/s
//! line. So a body that stops arriving is refused within a minute, and the slowest accepted body takes its size divided by
//! the rate.

use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

use super::content_encoding;
use super::unread_body::Drain;
use crate::web::ApiError;
use crate::web::bounds::Bound;
use crate::web::measures::reason;
use crate::web::shortened::shortened;

/// The largest body, in bytes, that has a fixed time, and that time.
const SMALL: u64 = 64 * 1024;
const SMALL_TIME: Duration = Duration::from_secs(10);
/// Bytes of a larger body that must arrive in each window.
const WINDOW: Duration = Duration::from_secs(30);
const WINDOW_BYTES: u64 = 30 * 8 * 1024;

/// A body that is being received.
pub struct Arriving {
    body: Body,
    drain: Drain,
    pace: Pace,
    limit: u64,
    declared: Option<u64>,
    received: u64,
    /// The allowed size and the remedy, for the error.
    allowed: String,
}

impl Arriving {
    /// Receives a body of at most `limit` bytes. A larger one is refused by its Content-Length, or as soon as it exceeds the
    /// limit; `allowed` gives the limit and the remedy in the error.
    pub fn new(parts: &Parts, body: Body, limit: usize, allowed: String) -> Result<Self, ApiError> {
        refuse_codings(&parts.headers)?;
        let (limit, declared) = (limit as u64, content_length(&parts.headers));
        if declared.is_some_and(|length| length > limit) {
            return Err(too_large(limit, declared, &allowed));
        }
        Ok(Self {
            body,
            drain: Drain::of(parts),
            pace: Pace::of(declared.unwrap_or(limit)),
            limit,
            declared,
            received: 0,
            allowed,
        })
    }

    /// The announced length, or else the largest one allowed.
    pub fn expected(&self) -> u64 {
        self.declared.unwrap_or(self.limit)
    }

    /// The next piece; None at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let began = Instant::now();
            let frame = timeout(self.pace.left, self.body.frame()).await;
            self.pace.waited(began.elapsed());
            let Ok(frame) = frame else {
                if self.pace.is_kept() {
                    continue;
                }
                Bound::BodyTime.met();
                self.drain.cancel();
                return Err(self.too_slow());
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| {
                ApiError::new(StatusCode::BAD_REQUEST, format!("the request body ended early: {error}"))
                    .because(reason::ABORTED)
            })?;
            let Ok(data) = frame.into_data() else { continue };
            self.received += data.len() as u64;
            self.pace.received(data.len() as u64);
            if self.received > self.limit {
                return Err(too_large(self.limit, self.declared, &self.allowed));
            }
            return Ok(Some(data));
        }
    }

    fn too_slow(&self) -> ApiError {
        let needed = match self.pace.bytes {
            0 => format!("a body of this size must arrive within {} s", self.pace.time.as_secs()),
            bytes => format!("at least {} KiB must arrive in every {} s", bytes / 1024, self.pace.time.as_secs()),
        };
        ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the request body arrives too slowly, {} bytes so far: {needed}", self.received),
        )
    }
}

/// How fast a body must arrive: `bytes` in each `time`, or all of it within `time` if `bytes` is 0.
struct Pace {
    bytes: u64,
    time: Duration,
    /// What is left of the current window, and the bytes that arrived in it.
    left: Duration,
    arrived: u64,
}

impl Pace {
    fn of(length: u64) -> Self {
        if length <= SMALL { Self::new(0, SMALL_TIME) } else { Self::new(WINDOW_BYTES, WINDOW) }
    }

    fn new(bytes: u64, time: Duration) -> Self {
        Self { bytes, time, left: time, arrived: 0 }
    }

    fn waited(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    fn received(&mut self, bytes: u64) {
        self.arrived += bytes;
    }

    /// Whether enough has arrived at the end of a window; begins the next one.
    fn is_kept(&mut self) -> bool {
        let is_kept = self.bytes > 0 && self.arrived >= self.bytes;
        (self.left, self.arrived) = (self.time, 0);
        is_kept
    }
}

/// Reads a body of at most `limit` bytes into memory.
pub async fn read(parts: &Parts, body: Body, limit: usize, allowed: &str) -> Result<Bytes, ApiError> {
    let mut arriving = Arriving::new(parts, body, limit, allowed.to_owned())?;
    let mut content = BytesMut::new();
    while let Some(piece) = arriving.next().await? {
        content.extend_from_slice(&piece);
    }
    Ok(content.freeze())
}

/// Refuses a compressed body, which would be read as if it were not compressed.
fn refuse_codings(headers: &HeaderMap) -> Result<(), ApiError> {
    let applied = content_encoding::applied(headers);
    if applied.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "the request has `Content-Encoding: {}`, and this call accepts only bodies that are not compressed: send the body \
         as it is, without that header",
        shortened(&applied)
    );
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

fn too_large(limit: u64, declared: Option<u64>, allowed: &str) -> ApiError {
    let size = declared.map_or_else(|| format!("more than {limit}"), |length| length.to_string());
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the request has {size} bytes, above the limit of {allowed}"))
}

/// The length that the client announces.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    /// An endless body: `bytes`, a pause, `bytes`, a pause, …
    fn trickle(bytes: usize, pause: Duration) -> Body {
        Body::from_stream(stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok::<_, std::io::Error>(Bytes::from(vec![0; bytes])), ()))
        }))
    }

    fn parts() -> Parts {
        axum::http::Request::new(()).into_parts().0
    }

    fn arriving(body: Body, pace: Pace) -> Arriving {
        let arriving = Arriving::new(&parts(), body, 1_000_000, "all".to_owned()).unwrap();
        Arriving { pace, ..arriving }
    }

    /// The bytes received when the body was refused, and the status.
    async fn refused(mut arriving: Arriving) -> (u64, u16) {
        loop {
            match arriving.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it has no end"),
                Err(error) => return (arriving.received, error.status().as_u16()),
            }
        }
    }

    #[test]
    fn a_body_that_trickles_is_refused() {
        run(async {
            for bytes in [0, 100] {
                // How much arrives before a timer fires depends on the machine.
                let (received, status) = refused(arriving(trickle(1, SHORT), Pace::new(bytes, 5 * SHORT))).await;
                assert!(status == 408 && received < 100, "{status} {received}");
            }
        });
    }

    #[test]
    fn a_window_ends_after_its_time_of_waiting() {
        let mut pace = Pace::new(100, 5 * SHORT);
        for waits in 1..=5 {
            pace.waited(SHORT);
            pace.received(1);
            assert_eq!(pace.left, (5 - waits) * SHORT);
        }
        pace.waited(SHORT);
        assert_eq!(pace.left, Duration::ZERO);
        assert!(!pace.is_kept());
        assert_eq!(pace.left, 5 * SHORT);
    }

    #[test]
    fn a_body_that_keeps_its_rate_may_take_any_time() {
        run(async {
            let (received, status) = refused(arriving(trickle(100_000, SHORT), Pace::new(1, 5 * SHORT))).await;
            assert!(status == 413 && received > 1_000_000, "{status} {received}");
        });
    }

    #[test]
    fn a_fast_window_is_no_credit_for_the_next_one() {
        let mut pace = Pace::new(100, SHORT);
        pace.received(1_000_000);
        assert!(pace.is_kept());
        assert!(!pace.is_kept());
    }

    #[test]
    fn a_line_of_128_kbit_a_second_is_fast_enough() {
        let a_second = 128_000 / 8;
        assert!(WINDOW_BYTES < WINDOW.as_secs() * a_second * 3 / 4);
        assert!(SMALL < SMALL_TIME.as_secs() * a_second * 3 / 4);
    }
}
