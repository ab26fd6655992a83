//! Responses of the git protocol, and the texts of its errors.

use std::io;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;

use super::fetch_permits::Full;
use super::packets::put;
use super::references;
use super::request::Refusal;
use super::version::Version;
use crate::index::IndexError;
use crate::package::characters::is_hidden;
use crate::web::index::plain_text::{plain, too_many, unavailable, unavailable_for};

/// The content type of an answer to `info/refs`.
pub const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
/// The content type of an answer to `git-upload-pack`.
pub const RESULT: &str = "application/x-git-upload-pack-result";

/// The answer to a request that is longer than [`super::request::MAX_REQUEST`].
pub const TOO_LARGE: &str =
    "the fetch request is above the limit of 2 MiB: clone again if your copy has a long history of its own";
/// The answer when all clients together are at a limit.
pub const TOO_MANY: &str = "too many fetches in progress: try again in a few seconds";
/// The answer to a clone that has waited for others for too long.
const TOO_MANY_CLONES: &str = "too many clones in progress: try again in a minute, or use the sparse index";
const GIT_FAILED: &str = "git failed on the server: see the server log";

/// Characters of git's error message that are sent to the client.
const MAX_PROBLEM: usize = 120;

/// 200, which caches may not keep.
pub fn success(content_type: &'static str, body: Body) -> Response<Body> {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, max-age=0, must-revalidate")),
        (header::EXPIRES, HeaderValue::from_static("Fri, 01 Jan 1980 00:00:00 GMT")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
    ];
    (headers, body).into_response()
}

/// A list of references that is an error. Clients of every version show its text, but not that of an error status.
pub fn error_advertisement(text: &str) -> Response<Body> {
    let mut content = references::preamble(Version::V0).to_vec();
    put(&mut content, format!("ERR {text}\n").as_bytes());
    success(ADVERTISEMENT, content.into())
}

/// 429 or 503: a limit on fetches or processes is reached.
pub fn full(full: Full) -> Response<Body> {
    match full {
        Full::Client => too_many("too many fetches in progress from your address: try again in a few seconds"),
        Full::All => unavailable(TOO_MANY),
        Full::Clones => unavailable_for("30", TOO_MANY_CLONES),
    }
}

/// The request was refused before git started. The client shows the reason only in an answer with status 200, so a user
/// of its options gets that; what no client of git sends is 400 or 413.
pub fn refused(refusal: Refusal) -> Response<Body> {
    match refusal {
        Refusal::Invalid(problem) => invalid(&problem),
        Refusal::Unsupported(problem) => {
            tracing::debug!(problem, "refused a fetch");
            let mut content = Vec::new();
            put(&mut content, format!("ERR {problem}\n").as_bytes());
            success(RESULT, content.into())
        }
        Refusal::TooLarge => plain(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE),
        Refusal::NotGzip => {
            plain(StatusCode::BAD_REQUEST, "the fetch request is not valid gzip, which its Content-Encoding names")
        }
    }
}

/// 400: the request is invalid.
pub fn invalid(problem: &str) -> Response<Body> {
    // Git's own messages may quote what the client sent.
    let problem: String = problem.chars().filter(|c| !is_hidden(*c)).take(MAX_PROBLEM).collect();
    tracing::debug!(problem, "refused a fetch");
    plain(StatusCode::BAD_REQUEST, format!("invalid fetch request: {problem}"))
}

/// 503: git reached a limit of memory or time.
pub fn too_expensive() -> Response<Body> {
    let text = "the fetch exceeded the server's limit of memory or time: clone with --depth 1 or use the sparse index";
    plain(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// 500: git failed, and the log has the reason.
pub fn failed() -> Response<Body> {
    plain(StatusCode::INTERNAL_SERVER_ERROR, GIT_FAILED)
}

/// 500: the references cannot be read.
pub fn unreadable(error: &IndexError) -> Response<Body> {
    tracing::error!(error = error as &dyn std::error::Error, "the index cannot be read");
    failed()
}

/// 500: git cannot be run for its capabilities.
pub fn without_capabilities(error: io::Error) -> Response<Body> {
    tracing::error!(error = &error as &dyn std::error::Error, "git's capabilities cannot be read");
    failed()
}
