//! The body of a fetch request.
//!
//! It is read completely before the request waits for a git process, so that a slow sender occupies none. It stays
//! compressed in memory, and all bodies together have a limit.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::request::MAX_REQUEST;
use super::responses::{TOO_LARGE, TOO_MANY};
use crate::web::extract::content_encoding;
use crate::web::index::plain_text::{plain, unavailable};
use crate::web::shortened::shortened;

/// The time limit for a body: this, and a second for each [`RATE`] bytes of it.
const TIME_LIMIT: Duration = Duration::from_secs(10);
const RATE: u64 = 16 * 1024;

/// The initial buffer for a body without a `Content-Length`, in bytes.
const FIRST: usize = 8 * 1024;

/// The largest initial buffer for a body with one, in bytes.
const MOST_AT_FIRST: usize = 256 * 1024;

/// A body as it was sent.
#[derive(Debug, Clone)]
pub struct RequestBody {
    bytes: Bytes,
    is_gzip: bool,
    _memory: Arc<Vec<OwnedSemaphorePermit>>,
}

impl RequestBody {
    /// The request in it, decompressed while it is read.
    pub fn decoded(&self) -> Box<dyn Read + Send> {
        let bytes = std::io::Cursor::new(self.bytes.clone());
        if self.is_gzip { Box::new(flate2::read::MultiGzDecoder::new(bytes)) } else { Box::new(bytes) }
    }
}

/// Reads a body within its limits; the error is the answer.
pub async fn read(headers: &HeaderMap, mut body: Body, memory: &Arc<Semaphore>) -> Result<RequestBody, Response<Body>> {
    let is_gzip = is_gzip(headers).map_err(|coding| unsupported(&coding))?;
    let too_large = || plain(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE);
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_REQUEST) {
        drain(body);
        return Err(too_large());
    }
    let mut content = BytesMut::with_capacity(declared.unwrap_or(FIRST).min(MOST_AT_FIRST));
    let (mut permits, mut permitted) = (Vec::new(), 0);
    let start = Instant::now();
    loop {
        let until = start + TIME_LIMIT + Duration::from_secs(content.len() as u64 / RATE);
        let frame = match timeout_at(until, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
            Ok(Some(Err(_))) => {
                let text = "the connection ended before the request was complete";
                return Err(plain(StatusCode::BAD_REQUEST, text));
            }
            Err(_) => {
                let text = "the request arrived too slowly: the limit is 10 seconds, plus 1 second for each 16 KiB";
                return Err(plain(StatusCode::REQUEST_TIMEOUT, text));
            }
        };
        let Ok(data) = frame.into_data() else { continue };
        if content.len() + data.len() > MAX_REQUEST {
            drain(body);
            return Err(too_large());
        }
        content.extend_from_slice(&data);
        // Each request counts as at least 1 KiB.
        let missing = (content.len() / 1024 + 1).saturating_sub(permitted);
        if missing > 0 {
            let count = u32::try_from(missing).unwrap_or(u32::MAX);
            let more = Arc::clone(memory).try_acquire_many_owned(count).map_err(|_| unavailable(TOO_MANY))?;
            permits.push(more);
            permitted += missing;
        }
    }
    Ok(RequestBody { bytes: content.freeze(), is_gzip, _memory: Arc::new(permits) })
}

/// Reads and drops the rest of a body for a while. Otherwise a client that is still sending would not see the answer,
/// because a connection that is closed with unread data is reset.
fn drain(mut body: Body) {
    tokio::spawn(timeout(TIME_LIMIT, async move {
        let mut left = MAX_REQUEST;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = rest;
        }
    }));
}

/// Whether a body is compressed with gzip; the error is another coding.
fn is_gzip(headers: &HeaderMap) -> Result<bool, String> {
    match content_encoding::applied(headers) {
        coding if coding.is_empty() => Ok(false),
        coding if coding == "gzip" || coding == "x-gzip" => Ok(true),
        other => Err(other),
    }
}

fn unsupported(coding: &str) -> Response<Body> {
    let coding = shortened(coding);
    let text =
        format!("unsupported Content-Encoding `{coding}`: send the fetch request with gzip or without compression");
    let mut response = plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    response
}
