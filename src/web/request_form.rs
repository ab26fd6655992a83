//! Refuses ambiguous requests before they reach a handler. Source: RFC 9112, sections 3.2 and 6.1; RFC 9110, section 5.3.
//!
//! Of a request with both Transfer-Encoding and Content-Length, hyper uses the former, as it must, and removes the latter, so
//! it cannot be distinguished from a request with Transfer-Encoding only. The connection has to be closed after such a
//! request, so that bytes which a proxy in front took for the next request are never read as one. Therefore it is closed
//! after every chunked request.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::ApiError;

/// The longest path and query, in bytes: ten times what clients of a registry send.
const MAX_URI: usize = 16 * 1024;

/// Refuses a request that two programs could read as two different requests.
pub(super) async fn check(request: Request, next: Next) -> Response {
    // Requests within the process, in tests, have no connection and need no Host.
    let has_connection = request.extensions().get::<ConnectInfo<SocketAddr>>().is_some();
    if let Some(refused) = wrong(&request, has_connection) {
        return refused.into_response();
    }
    let is_http1 = request.version() <= Version::HTTP_11;
    let is_chunked = is_http1 && request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut response = next.run(request).await;
    if is_chunked {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What is wrong with a request.
pub(super) fn wrong<B>(request: &axum::http::Request<B>, has_connection: bool) -> Option<ApiError> {
    let refused = |status, detail: &str| Some(ApiError::new(status, detail));
    let count = |name| request.headers().get_all(name).iter().count();
    match count(header::HOST) {
        0 if has_connection && request.version() == Version::HTTP_11 => {
            return refused(StatusCode::BAD_REQUEST, "the request has no Host header: HTTP/1.1 requires one");
        }
        0 | 1 => {}
        _ => {
            return refused(StatusCode::BAD_REQUEST, "the request has several Host headers: send only one");
        }
    }
    if count(header::AUTHORIZATION) > 1 {
        return refused(StatusCode::BAD_REQUEST, "the request has several Authorization headers: send only one");
    }
    let uri = request.uri();
    if uri.path().len() + uri.query().map_or(0, str::len) > MAX_URI {
        return refused(StatusCode::URI_TOO_LONG, "the URL is longer than 16 KiB: shorten it");
    }
    None
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn status(request: axum::http::request::Builder) -> Option<u16> {
        wrong(&request.body(Body::empty()).unwrap(), true).map(|error| error.status().as_u16())
    }

    #[test]
    fn a_request_names_one_host_and_carries_one_token_at_most() {
        let get = || Request::get("/x");
        assert_eq!(status(get().header("host", "x")), None);
        assert_eq!(status(get().header("host", "x").header("authorization", "a")), None);
        assert_eq!(status(get()), Some(400));
        assert_eq!(status(get().version(Version::HTTP_10)), None);
        // HTTP/2 has the host in its own place.
        assert_eq!(status(get().version(Version::HTTP_2)), None);
        assert_eq!(status(get().header("host", "x").header("host", "x")), Some(400));
        let two = get().header("host", "x").header("authorization", "a").header("authorization", "a");
        assert_eq!(status(two), Some(400));
    }

    #[test]
    fn a_url_is_at_most_16_kib_long() {
        let get = |length: usize| Request::get(format!("/{}?q", "x".repeat(length - 2))).header("host", "x");
        assert_eq!(status(get(MAX_URI)), None);
        assert_eq!(status(get(MAX_URI + 1)), Some(414));
    }
}
