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

use super::accept_encoding::preferred;
use super::plain_text::{BEING_FETCHED, sentence, unavailable};
use super::{Served, blocking};
use crate::index::{Coding, ConfigJson, IndexError, Oid, View};
use crate::package::index_path::crate_path;
use crate::web::answers::conditions::{self, Condition, Tag};

/// Below this many bytes compression saves no packet.
const MIN_COMPRESSED: usize = 512;

/// What was found for a request.
enum Found {
    Absent,
    /// This machine has no index yet.
    NotYet,
    Present(Form),
}

/// A file as it is sent.
struct Form {
    id: Oid,
    coding: Coding,
    condition: Condition,
    content: Bytes,
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
    let (conditions, wanted) = (headers.clone(), path.clone());
    match blocking(move || look_up(&view, &wanted, &conditions)).await {
        Some(Ok(Found::Present(form))) => respond(form, content_type),
        Some(Ok(Found::NotYet)) => unavailable(BEING_FETCHED),
        Some(Ok(Found::Absent)) => sentence(StatusCode::NOT_FOUND, format!("No such file in the index: {path}")),
        Some(Err(error)) => {
            tracing::error!(path, error = &error as &dyn std::error::Error, "the index can't be read");
            unavailable("The index can't be read at the moment; the server's log tells why.")
        }
        None => unavailable("The server is shutting down."),
    }
}

/// Chooses the form first: each has a tag of its own, and a 304 has the tag that the file would have.
fn look_up(view: &View, path: &str, headers: &HeaderMap) -> Result<Found, IndexError> {
    let Some(id) = view.find(path)? else {
        return Ok(if view.index().is_being_fetched()? { Found::NotYet } else { Found::Absent });
    };
    let content = view.content(id)?;
    let coding = if content.len() < MIN_COMPRESSED { Coding::Identity } else { preferred(headers) };
    let opaque = id.to_string();
    let condition = conditions::check(headers, Tag { opaque: &opaque, is_strong: coding == Coding::Identity });
    let content = if condition == Condition::Met { view.coded(id, coding)? } else { Bytes::new() };
    Ok(Found::Present(Form { id, coding, condition, content }))
}

fn respond(form: Form, content_type: &'static str) -> Response<Body> {
    let mut response = match form.condition {
        Condition::Met => Response::new(Body::from(form.content)),
        Condition::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Condition::Failed => {
            let text = "If-Match names another state of this file; ask without it.";
            return sentence(StatusCode::PRECONDITION_FAILED, text);
        }
    };
    let is_whole = response.status() == StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::ETAG, entity_tag(form.id, form.coding));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if is_whole {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        let coding = match form.coding {
            Coding::Identity => None,
            Coding::Gzip => Some("gzip"),
            Coding::Zstd => Some("zstd"),
        };
        headers.extend(coding.map(|coding| (header::CONTENT_ENCODING, HeaderValue::from_static(coding))));
    }
    response
}

/// The git blob id: a hash of the content, the same after a restart and on every server. It is strong for the plain file.
/// A compressed form is another sequence of bytes and may not share a strong tag with it, so there it is weak.
/// `If-None-Match` is compared weakly, so a client may keep one form and be told that the other hasn't changed; proxies
/// that compress weaken tags too.
fn entity_tag(id: Oid, coding: Coding) -> HeaderValue {
    let tag = if coding == Coding::Identity { format!("\"{id}\"") } else { format!("W/\"{id}\"") };
    HeaderValue::try_from(tag).expect("hexadecimal digits and quotes") // all of them allowed in a header
}
