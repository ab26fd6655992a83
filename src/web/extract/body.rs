//! Reading request bodies within limits of size and time.
//!
//! The time counts in which a body is waited for, and not what the server takes to store it. A small body has ten seconds
//! in all. A larger one must keep a rate: 8 KiB a second over each half minute, half of what a line of 128 kbit/s carries.
//! So a body that is begun and not finished ends within a minute, and one that is sent as slowly as may be ends after its
//! size divided by the rate.
//!
//! A client that is still sending when it is refused needs some time to read the answer: a connection that is closed with
//! unread data in it is reset, and the reset overtakes the answer, so that cargo would show a broken pipe where it could
//! show the reason. So it is answered at once, and what still comes is read and thrown away beside, within bounds: a client
//! that waits for the answer before it goes on is as much in its right. Of somebody without a good token that is bounded
//! more tightly. A connection on which it happens counts as idle: it is the first to be closed when connections run out.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

use crate::web::ApiError;
use crate::web::limits::bounds::Bound;

/// The largest body that has its time in all, in bytes, and that time.
const SMALL: u64 = 64 * 1024;
const SMALL_TIME: Duration = Duration::from_secs(10);
/// A larger body must bring so many bytes in each such time.
const WINDOW: Duration = Duration::from_secs(30);
const WINDOW_BYTES: u64 = 30 * 8 * 1024;

/// The most that is read only to be thrown away.
#[derive(Clone, Copy)]
pub struct Discarded {
    bytes: u64,
    time: Duration,
}

/// Of somebody who has no token, or no good one: more than the largest crate, unless an operator allows larger ones.
pub const STRANGER: Discarded = Discarded { bytes: 32 * 1024 * 1024, time: Duration::from_secs(10) };
/// Of a user.
pub const USER: Discarded = Discarded { bytes: 256 * 1024 * 1024, time: Duration::from_secs(30) };

/// A body that arrives.
pub struct Arriving {
    body: Body,
    pace: Pace,
    limit: u64,
    declared: Option<u64>,
    received: u64,
    /// For the error: how large the body may be, and the remedy.
    allowed: String,
}

impl Arriving {
    /// A body of at most `limit` bytes. A larger one is refused by its Content-Length, or where it passes the limit; the
    /// answer then says what is `allowed`, and how to keep to it.
    pub fn new(headers: &HeaderMap, body: Body, limit: usize, allowed: String) -> Result<Self, ApiError> {
        let (limit, declared) = (limit as u64, content_length(headers));
        if declared.is_some_and(|length| length > limit) {
            discard(headers, body, USER);
            return Err(too_large(limit, declared, &allowed));
        }
        Ok(Self { body, pace: Pace::of(declared.unwrap_or(limit)), limit, declared, received: 0, allowed })
    }

    /// The length that the client announces, or else the most that it may be.
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
                return Err(self.too_slow());
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| {
                ApiError::new(StatusCode::BAD_REQUEST, format!("the request's body ended early: {error}"))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            self.received += data.len() as u64;
            self.pace.received(data.len() as u64);
            if self.received > self.limit {
                read_on(std::mem::take(&mut self.body), USER);
                return Err(too_large(self.limit, self.declared, &self.allowed));
            }
            return Ok(Some(data));
        }
    }

    fn too_slow(&self) -> ApiError {
        let needed = match self.pace.bytes {
            0 => format!("one of this size has {} s", self.pace.time.as_secs()),
            bytes => format!("{} KiB are needed in each {} s", bytes / 1024, self.pace.time.as_secs()),
        };
        ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the request's body arrives too slowly, after {} bytes: {needed}. Send it again", self.received),
        )
    }
}

/// How fast a body must come: so many bytes in each such time, or all of it in the first if no bytes are asked for.
struct Pace {
    bytes: u64,
    time: Duration,
    /// What is left of the time at hand, and what came in it.
    left: Duration,
    came: u64,
}

impl Pace {
    fn of(length: u64) -> Self {
        if length <= SMALL { Self::new(0, SMALL_TIME) } else { Self::new(WINDOW_BYTES, WINDOW) }
    }

    fn new(bytes: u64, time: Duration) -> Self {
        Self { bytes, time, left: time, came: 0 }
    }

    fn waited(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    fn received(&mut self, bytes: u64) {
        self.came += bytes;
    }

    /// At the end of the time: whether the body may go on coming, for another one.
    fn is_kept(&mut self) -> bool {
        let is_kept = self.bytes > 0 && self.came >= self.bytes;
        (self.left, self.came) = (self.time, 0);
        is_kept
    }
}

/// Reads a body of at most `limit` bytes into memory.
pub async fn read(headers: &HeaderMap, body: Body, limit: usize, allowed: &str) -> Result<Bytes, ApiError> {
    let mut arriving = Arriving::new(headers, body, limit, allowed.to_owned())?;
    let mut content = BytesMut::new();
    while let Some(piece) = arriving.next().await? {
        content.extend_from_slice(&piece);
    }
    Ok(content.freeze())
}

fn too_large(limit: u64, declared: Option<u64>, allowed: &str) -> ApiError {
    let size = declared.map_or_else(|| format!("more than {limit}"), |length| length.to_string());
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the request has {size} bytes; allowed are {allowed}"))
}

/// Reads on what a client still sends, within bounds, so that it will read the answer. A client that waits for
/// `100 Continue` has sent nothing yet.
pub fn discard(headers: &HeaderMap, body: Body, at_most: Discarded) {
    if !headers.contains_key(header::EXPECT) {
        read_on(body, at_most);
    }
}

fn read_on(mut body: Body, at_most: Discarded) {
    if body.is_end_stream() {
        return;
    }
    let read_on = async move {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, |data| data.len() as u64);
            if read > at_most.bytes {
                return;
            }
        }
    };
    // When the time is over the connection is closed, whatever the client still sends.
    tokio::spawn(timeout(at_most.time, read_on));
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

    /// A body that brings so many bytes each time, for ever, with pauses in between.
    fn trickle(bytes: usize, pause: Duration) -> Body {
        Body::from_stream(stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok::<_, std::io::Error>(Bytes::from(vec![0; bytes])), ()))
        }))
    }

    fn arriving(body: Body, pace: Pace) -> Arriving {
        let arriving = Arriving::new(&HeaderMap::new(), body, 1_000_000, "all".to_owned()).unwrap();
        Arriving { pace, ..arriving }
    }

    /// What was received when it was given up, and why.
    async fn given_up(mut arriving: Arriving) -> (u64, u16) {
        loop {
            match arriving.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it has no end"),
                Err(error) => return (arriving.received, error.status().as_u16()),
            }
        }
    }

    #[test]
    fn a_body_that_trickles_is_given_up_at_the_end_of_its_time() {
        run(async {
            let (received, status) = given_up(arriving(trickle(1, SHORT), Pace::new(0, 5 * SHORT))).await;
            assert!(status == 408 && received < 6, "{status} {received}");
            let (received, status) = given_up(arriving(trickle(1, SHORT), Pace::new(100, 5 * SHORT))).await;
            assert!(status == 408 && received < 6, "{status} {received}");
        });
    }

    #[test]
    fn a_body_that_keeps_its_rate_may_take_as_long_as_it_takes() {
        run(async {
            let (received, status) = given_up(arriving(trickle(100_000, SHORT), Pace::new(1, 5 * SHORT))).await;
            assert!(status == 413 && received > 1_000_000, "{status} {received}");
        });
    }

    #[test]
    fn what_came_fast_is_no_credit_for_what_does_not_come() {
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
