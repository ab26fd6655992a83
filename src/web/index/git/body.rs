//! The body of a fetch: read whole, as it comes, before a process is waited for, so that a slow sender occupies none. It
//! stays packed in memory, and all bodies together have a limit.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::request::MAX_REQUEST;
use crate::web::index::plain_text::{sentence, unavailable};

/// The most time for a body: this, and a second for each [`RATE`] bytes of it.
const PATIENCE: Duration = Duration::from_secs(10);
const RATE: u64 = 16 * 1024;

/// A body that does not say how long it is gets so many bytes at first.
const FIRST: usize = 8 * 1024;

/// One that does gets no more than this before it comes.
const MOST_AT_FIRST: usize = 256 * 1024;

/// Too large a request.
pub const TOO_LARGE: &str = "A fetch request has 2 MiB at most. Clone anew if the copy has a long history of its own.";

/// Other fetches have everything.
pub const TOO_MANY: &str = "Too many fetches at once; try again in a few seconds.";

/// A body as it was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    bytes: Bytes,
    is_packed: bool,
    _memory: Arc<Vec<OwnedSemaphorePermit>>,
}

impl Sent {
    /// The request in it, unpacked bit by bit.
    pub fn unpacked(&self) -> Box<dyn Read + Send> {
        let bytes = std::io::Cursor::new(self.bytes.clone());
        if self.is_packed { Box::new(flate2::read::MultiGzDecoder::new(bytes)) } else { Box::new(bytes) }
    }
}

/// Reads a body within its limits; the error is the answer.
pub async fn read(headers: &HeaderMap, mut body: Body, memory: &Arc<Semaphore>) -> Result<Sent, Response<Body>> {
    let Some(is_packed) = is_packed(headers) else {
        let text = "A fetch request may be compressed with gzip only.";
        return Err(sentence(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    };
    let too_large = || sentence(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE);
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_REQUEST) {
        throw_away(body);
        return Err(too_large());
    }
    let mut content = BytesMut::with_capacity(declared.unwrap_or(FIRST).min(MOST_AT_FIRST));
    let (mut permits, mut permitted) = (Vec::new(), 0);
    let start = Instant::now();
    loop {
        let until = start + PATIENCE + Duration::from_secs(content.len() as u64 / RATE);
        let frame = match timeout_at(until, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(sentence(StatusCode::BAD_REQUEST, "The request broke off.")),
            Err(_) => {
                let text = "The request did not arrive in time: 10 seconds, and one more for each 16 KiB.";
                return Err(sentence(StatusCode::REQUEST_TIMEOUT, text));
            }
        };
        let Ok(data) = frame.into_data() else { continue };
        if content.len() + data.len() > MAX_REQUEST {
            throw_away(body);
            return Err(too_large());
        }
        content.extend_from_slice(&data);
        // Each request costs a KiB at least, whatever it has.
        let missing = (content.len() / 1024 + 1).saturating_sub(permitted);
        if missing > 0 {
            let count = u32::try_from(missing).unwrap_or(u32::MAX);
            let more = Arc::clone(memory).try_acquire_many_owned(count).map_err(|_| unavailable(TOO_MANY))?;
            permits.push(more);
            permitted += missing;
        }
    }
    Ok(Sent { bytes: content.freeze(), is_packed, _memory: Arc::new(permits) })
}

/// Reads on beside the answer, for a while: a client that is still sending would not see it, because a connection that is
/// closed with unread data in it is reset.
fn throw_away(mut body: Body) {
    tokio::spawn(timeout(PATIENCE, async move {
        let mut left = MAX_REQUEST;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = rest;
        }
    }));
}

/// Whether a body is packed with gzip; None: with something else.
fn is_packed(headers: &HeaderMap) -> Option<bool> {
    let coding = headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    match coding.as_deref() {
        None | Some(b"identity") => Some(false),
        Some(b"gzip" | b"x-gzip") => Some(true),
        Some(_) => None,
    }
}
