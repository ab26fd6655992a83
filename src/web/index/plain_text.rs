//! Responses of one line of plain text: errors of the index, and its introduction for people.
//!
//! Cargo prints up to 512 characters of such a body; git prints it if its type is text/plain. Caches may not keep any
//! of them: `cargo publish` requests an absent crate again every second until it appears.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Seconds after which a client may try again.
const RETRY_AFTER: &str = "5";

/// The index is not on this machine yet.
pub const BEING_FETCHED: &str = "the index is being fetched from its remote: try again in a few seconds";

/// The repository of the index cannot be read.
pub const UNREADABLE: &str = "the index cannot be read: see the server log";

/// The server stops before it can answer.
pub const SHUTTING_DOWN: &str = "the server is shutting down: try again in a few seconds";

/// A line of text with this status.
pub fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    let mut text = text.into();
    text.push('\n');
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, text).into_response()
}

/// 503: the server cannot answer for the moment.
pub fn unavailable(text: &str) -> Response {
    unavailable_for(RETRY_AFTER, text)
}

/// 503: the server cannot answer for this number of seconds.
pub fn unavailable_for(seconds: &'static str, text: &str) -> Response {
    retry(StatusCode::SERVICE_UNAVAILABLE, seconds, text)
}

/// 429: the client has reached a limit.
pub fn too_many(text: &str) -> Response {
    retry(StatusCode::TOO_MANY_REQUESTS, RETRY_AFTER, text)
}

fn retry(status: StatusCode, seconds: &'static str, text: &str) -> Response {
    let mut response = plain(status, text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
    response
}
