//! Answers that are a sentence: errors of the index, and what a browser sees there. Cargo prints up to 512 characters of
//! such a body, git prints it when its type is text/plain. None may be kept by a cache: a crate that is absent now is
//! asked for again a second later by the `cargo publish` that waits for it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Seconds after which a client may try again when the server is at fault.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// Instead of an index that is not there yet.
pub const BEING_FETCHED: &str =
    "The index is being fetched from its remote; try again in a few seconds. The server's log tells how it goes.";

/// The sentence with its status.
pub fn sentence(status: StatusCode, text: impl Into<String>) -> Response {
    let mut text = text.into();
    text.push('\n');
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, text).into_response()
}

/// 503: it is worth trying again soon.
pub fn unavailable(text: &str) -> Response {
    let mut response = sentence(StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

/// 429: this client has enough for now.
pub fn too_many(text: &str) -> Response {
    let mut response = sentence(StatusCode::TOO_MANY_REQUESTS, text);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}
