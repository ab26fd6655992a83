//! The sparse protocol: each file of the index under its path. Source: the Cargo book, "Registry Index".
//!
//! Caches may keep an answer but must ask before they use it (`no-cache`), and may not keep a 404 at all, because
//! `cargo publish` polls for the file that wasn't there a second ago. `If-Modified-Since` isn't used, and no
//! `Last-Modified` is sent: two publishes within one second have the same date, and the second would be overlooked.
//! Cargo prefers the `ETag` anyway.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;

use super::accept_encoding::prefers_gzip;
use super::entity_tag::{entity_tag, is_known};
use super::plain_text::{sentence, unavailable};
use super::{Served, blocking};
use crate::index::path::crate_path;
use crate::index::{ConfigJson, IndexError, Oid, View};

/// Below this many bytes compression saves no packet.
const MIN_GZIP: usize = 512;

/// What was found for a request.
enum Found {
    Absent,
    Unchanged(Oid),
    Plain(Oid, Bytes),
    Gzipped(Oid, Bytes),
}

/// `GET /index/`: for a person who looks there.
pub async fn about(State(served): State<Served>) -> impl IntoResponse {
    let base = &served.base_url;
    let text = format!(
        "This is a sparse cargo index: put `sparse+{base}/index/`, with the slash, into .cargo/config.toml as the registry's index."
    );
    sentence(StatusCode::OK, text)
}

/// `GET /index/config.json`.
pub async fn config(State(served): State<Served>, headers: HeaderMap) -> Response<Body> {
    answer(served.index.view, ConfigJson::PATH.to_owned(), &headers, "application/json").await
}

/// `GET /index/{path}`: the file of a crate.
pub async fn file(
    State(served): State<Served>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response<Body> {
    let Ok(Path(path)) = path else {
        return sentence(StatusCode::NOT_FOUND, "No such file in the index: the path isn't UTF-8.");
    };
    let lower = path.to_ascii_lowercase();
    if crate_path(&lower).is_none() {
        if path == "info/refs" {
            let text = format!("This is the sparse index; git finds the index at {}/git/index", served.base_url);
            return sentence(StatusCode::NOT_FOUND, text);
        }
        return sentence(
            StatusCode::NOT_FOUND,
            "No such file in the index. Crates are at paths like 1/a, 2/ab, 3/a/abc and ab/cd/abcd.",
        );
    }
    if path != lower {
        let text =
            format!("No such file in the index: paths are in lower case, ask for {}/index/{lower}", served.base_url);
        return sentence(StatusCode::NOT_FOUND, text);
    }
    answer(served.index.view, path, &headers, "text/plain; charset=utf-8").await
}

async fn answer(view: View, path: String, headers: &HeaderMap, content_type: &'static str) -> Response<Body> {
    let may_gzip = prefers_gzip(headers);
    let conditions = headers.clone();
    let wanted = path.clone();
    match blocking(move || look_up(&view, &wanted, &conditions, may_gzip)).await {
        Some(Ok(found)) => respond(&path, found, may_gzip, content_type),
        Some(Err(error)) => {
            tracing::error!(path, error = &error as &dyn std::error::Error, "the index can't be read");
            unavailable("The index can't be read at the moment; the server's log tells why.")
        }
        None => unavailable("The server is shutting down."),
    }
}

fn look_up(view: &View, path: &str, headers: &HeaderMap, may_gzip: bool) -> Result<Found, IndexError> {
    let Some(id) = view.find(path)? else {
        return Ok(Found::Absent);
    };
    if is_known(headers, id) {
        return Ok(Found::Unchanged(id));
    }
    let content = view.content(id)?;
    if may_gzip && content.len() >= MIN_GZIP {
        Ok(Found::Gzipped(id, view.gzipped(id)?))
    } else {
        Ok(Found::Plain(id, content))
    }
}

fn respond(path: &str, found: Found, may_gzip: bool, content_type: &'static str) -> Response<Body> {
    let (status, id, gzipped, body) = match found {
        Found::Absent => {
            return sentence(StatusCode::NOT_FOUND, format!("No such file in the index: {path}"));
        }
        // A client that takes gzip may have either form; the weak tag is right for both.
        Found::Unchanged(id) => (StatusCode::NOT_MODIFIED, id, may_gzip, Bytes::new()),
        Found::Plain(id, body) => (StatusCode::OK, id, false, body),
        Found::Gzipped(id, body) => (StatusCode::OK, id, true, body),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::ETAG, entity_tag(id, gzipped));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if status == StatusCode::OK {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if gzipped {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    response
}
