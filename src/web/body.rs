//! Reading request bodies within limits.
//!
//! A client that is still sending when it is refused must be heard out: a connection that is closed with unread data in
//! it is reset, and the reset overtakes the answer, so that cargo would show a broken pipe where it could show the
//! reason. It is answered at once and heard out beside, since one that waits for the answer before it goes on is as much
//! in its right. What is heard out is thrown away as it comes, and bounded as well.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::ApiError;

/// A body that says nothing for this long is given up.
const SILENCE: Duration = Duration::from_secs(30);
/// What is reserved for a body that does not say how long it is, in bytes.
const RESERVED: usize = 64 * 1024 * 1024;
/// The most that is read only to be thrown away, in bytes and in time.
const DISCARDED: u64 = 256 * 1024 * 1024;
const DISCARDING: Duration = Duration::from_secs(30);

/// Reads a body of at most `limit` bytes. A larger one is refused by its Content-Length, or where it passes the limit;
/// the answer then says what is `allowed`.
pub async fn read(headers: &HeaderMap, mut body: Body, limit: usize, allowed: &str) -> Result<Bytes, ApiError> {
    let declared = content_length(headers);
    if declared.is_some_and(|length| length > limit as u64) {
        discard(headers, body);
        return Err(too_large(limit, declared, allowed));
    }
    // Address space and not memory: pages are taken as they are filled. Growing by doubling would hold two copies.
    let expected = declared.and_then(|length| usize::try_from(length).ok()).unwrap_or_else(|| limit.min(RESERVED));
    let mut content = BytesMut::with_capacity(expected);
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| {
            ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the request's body stopped after {} bytes for {} s", content.len(), SILENCE.as_secs()),
            )
        })?;
        let Some(frame) = frame else { return Ok(content.freeze()) };
        let frame = frame.map_err(|error| {
            ApiError::new(StatusCode::BAD_REQUEST, format!("the request's body ended early: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if content.len() + data.len() > limit {
            hear_out(body);
            return Err(too_large(limit, declared, allowed));
        }
        content.extend_from_slice(&data);
    }
}

fn too_large(limit: usize, declared: Option<u64>, allowed: &str) -> ApiError {
    let size = declared.map_or_else(|| format!("more than {limit}"), |length| length.to_string());
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "the request has {size} bytes; allowed are {allowed}. Leave out what the crate does not need (`cargo package \
             --list` shows what is in it, `exclude` in Cargo.toml leaves files out)"
        ),
    )
}

/// Hears the client out, so that it will read the answer. A client that waits for `100 Continue` has sent nothing yet.
pub fn discard(headers: &HeaderMap, body: Body) {
    let has_not_begun = headers.get(header::EXPECT).is_some();
    if !has_not_begun && content_length(headers).is_none_or(|length| length <= DISCARDED) {
        hear_out(body);
    }
}

fn hear_out(mut body: Body) {
    let hear_out = async move {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, |data| data.len() as u64);
            if read > DISCARDED {
                return;
            }
        }
    };
    // When the time is over the client is refused without having been heard out.
    tokio::spawn(tokio::time::timeout(DISCARDING, hear_out));
}

/// The length that the client announces.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
