//! The endpoints of the sparse protocol: each file of the index under its path. Source: the Cargo book, "Registry
//! Index".
//!
//! Caches may keep an answer but must revalidate it (`no-cache`). They may not keep a 404, because `cargo publish`
//! polls for a file that was absent a second ago. `Last-Modified` is not sent and `If-Modified-Since` is ignored: two
//! publishes within one second have the same date, and the second would be missed. Cargo prefers the `ETag`.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;

use super::accept_encoding::preferred;
use super::blocking::blocking;
use super::plain_text::{BEING_FETCHED, SHUTTING_DOWN, UNREADABLE, plain, unavailable};
use super::state::Served;
use crate::index::{Coding, ConfigJson, IndexError, Oid, View};
use crate::package::CrateName;
use crate::package::index_path::requested_path;
use crate::web::answers::conditions::{self, Condition, Tag};

/// The smallest file that is compressed, in bytes: for a smaller one compression saves no network packet.
const MIN_COMPRESSED: usize = 512;

/// The number of headers for which a response has room.
const HEADERS: usize = 14;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const BY_CODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");
const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");

/// The result of looking up a file.
enum Found {
    Absent,
    /// The index is being fetched from its remote.
    BeingFetched,
    Present(Form),
}

/// A file in the encoding that is sent.
struct Form {
    id: Oid,
    coding: Coding,
    condition: Condition,
    content: Bytes,
}

/// `GET /index/`: an introduction for people.
pub async fn about(State(served): State<Served>) -> impl IntoResponse {
    let base = &served.base_url;
    let text = format!(
        "This is a sparse cargo index. To use it, set the registry's index to `sparse+{base}/index/` (with the final slash) \
         in .cargo/config.toml."
    );
    plain(StatusCode::OK, text)
}

/// `GET /index/config.json`.
pub async fn config(State(served): State<Served>, headers: HeaderMap) -> Response<Body> {
    answer(served.index.view, ConfigJson::PATH.to_owned(), &headers, JSON).await
}

/// `GET /index/{path}`: the file of a crate, also under another spelling of its path.
pub async fn file(
    State(served): State<Served>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response<Body> {
    let Ok(Path(path)) = path else {
        return plain(StatusCode::NOT_FOUND, "no such file in the index: the path is not UTF-8");
    };
    of_crate((served.index.view, &served.base_url), path, &headers).await
}

/// The answer to a request for the file of a crate.
pub async fn of_crate((view, base_url): (View, &str), path: String, headers: &HeaderMap) -> Response<Body> {
    let other = match requested_path(&path) {
        None => return no_file(&path, base_url),
        Some(Cow::Borrowed(_)) => None,
        Some(Cow::Owned(other)) => Some(other),
    };
    answer(view, other.unwrap_or(path), headers, TEXT).await
}

/// The answer with a file that the repository does not have: that of a crate, or config.json.
pub fn made(view: &View, path: &str, file: (Oid, &Bytes), headers: &HeaderMap) -> Response<Body> {
    let (id, content) = file;
    let (coding, condition) = choose(id, content, headers);
    let content = if condition == Condition::Met { view.coded_content(path, file, coding) } else { Bytes::new() };
    let content_type = if path == ConfigJson::PATH { JSON } else { TEXT };
    respond(Form { id, coding, condition, content }, content_type)
}

/// The same if memory has what is sent. The file is that of a crate.
pub fn made_before(view: &View, (id, content): (Oid, &Bytes), headers: &HeaderMap) -> Option<Response<Body>> {
    let (coding, condition) = choose(id, content, headers);
    let content = match (&condition, coding) {
        (Condition::Met, Coding::Identity) => content.clone(),
        (Condition::Met, _) => view.recall_coded(id, coding)?,
        _ => Bytes::new(),
    };
    Some(respond(Form { id, coding, condition, content }, TEXT))
}

/// The answer for a path of no file. A name alone is a link for people, as update bots put it into their texts.
fn no_file(path: &str, base_url: &str) -> Response<Body> {
    if let Ok(name) = path.parse::<CrateName>() {
        let url = format!("{base_url}/api/v1/crates/{name}");
        let mut response = plain(StatusCode::TEMPORARY_REDIRECT, format!("the crate `{name}` is at {url}"));
        response.headers_mut().extend(HeaderValue::try_from(url).map(|url| (header::LOCATION, url)));
        return response;
    }
    if path == "info/refs" {
        return plain(StatusCode::NOT_FOUND, format!("this is the sparse index: use {base_url}/git/index for git"));
    }
    plain(
        StatusCode::NOT_FOUND,
        "no such file in the index: paths of crates are like 1/a, 2/ab, 3/a/abc and ab/cd/abcd",
    )
}

async fn answer(view: View, path: String, headers: &HeaderMap, content_type: HeaderValue) -> Response<Body> {
    if let Some(found) = recall(&view, &path, headers) {
        return match found {
            Found::Present(form) => respond(form, content_type),
            Found::Absent | Found::BeingFetched => absent(&path),
        };
    }
    let (conditions, requested) = (headers.clone(), path.clone());
    match blocking(move || look_up(&view, &requested, &conditions)).await {
        Some(Ok(Found::Present(form))) => respond(form, content_type),
        Some(Ok(Found::BeingFetched)) => unavailable(BEING_FETCHED),
        Some(Ok(Found::Absent)) => absent(&path),
        Some(Err(error)) => {
            tracing::error!(path, error = &error as &dyn std::error::Error, "the index cannot be read");
            unavailable(UNREADABLE)
        }
        None => unavailable(SHUTTING_DOWN),
    }
}

pub fn absent(path: &str) -> Response<Body> {
    plain(StatusCode::NOT_FOUND, format!("no such file in the index: {path}"))
}

/// The answer to a request for `/index/{path}`, if memory has it and the path is spelled right.
pub fn recalled(view: &View, path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let content_type = match path {
        ConfigJson::PATH => JSON,
        _ if matches!(requested_path(path), Some(Cow::Borrowed(_))) => TEXT,
        _ => return None,
    };
    Some(match recall(view, path, headers)? {
        Found::Present(form) => respond(form, content_type),
        Found::Absent | Found::BeingFetched => absent(path),
    })
}

/// Finds a file in memory; `None` if memory lacks something, or if the index may still be being fetched.
fn recall(view: &View, path: &str, headers: &HeaderMap) -> Option<Found> {
    let Some(id) = view.recall(path)? else {
        return view.index().remote().is_none().then_some(Found::Absent);
    };
    let (coding, condition) = choose(id, &view.recall_coded(id, Coding::Identity)?, headers);
    let content = if condition == Condition::Met { view.recall_coded(id, coding)? } else { Bytes::new() };
    Some(Found::Present(Form { id, coding, condition, content }))
}

/// The encoding that is sent, and whether the conditions are met. The encoding is chosen first, because each encoding has its
/// own tag and a 304 has the tag of the file that would have been sent.
fn choose(id: Oid, content: &Bytes, headers: &HeaderMap) -> (Coding, Condition) {
    let coding = if content.len() < MIN_COMPRESSED { Coding::Identity } else { preferred(headers) };
    let opaque = digits(id);
    let opaque = std::str::from_utf8(&opaque).unwrap_or_default();
    (coding, conditions::check(headers, Tag { opaque, is_strong: coding == Coding::Identity }))
}

/// Finds a file, with what has to be read.
fn look_up(view: &View, path: &str, headers: &HeaderMap) -> Result<Found, IndexError> {
    let Some(id) = view.find(path)? else {
        return Ok(if view.index().is_being_fetched()? { Found::BeingFetched } else { Found::Absent });
    };
    let (coding, condition) = choose(id, &view.content(id)?, headers);
    let content = if condition == Condition::Met { view.coded(path, id, coding)? } else { Bytes::new() };
    Ok(Found::Present(Form { id, coding, condition, content }))
}

fn respond(form: Form, content_type: HeaderValue) -> Response<Body> {
    let mut response = match form.condition {
        Condition::Met => Response::new(Body::from(form.content)),
        Condition::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Condition::Failed => {
            let text = "If-Match names another version of this file: send the request without it";
            return plain(StatusCode::PRECONDITION_FAILED, text);
        }
    };
    let is_whole = response.status() == StatusCode::OK;
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::ETAG, entity_tag(form.id, form.coding));
    headers.insert(header::VARY, BY_CODING);
    headers.insert(header::CACHE_CONTROL, REVALIDATED);
    if is_whole {
        headers.insert(header::CONTENT_TYPE, content_type);
        let coding = match form.coding {
            Coding::Identity => None,
            Coding::Gzip => Some("gzip"),
            Coding::Zstd => Some("zstd"),
        };
        headers.extend(coding.map(|coding| (header::CONTENT_ENCODING, HeaderValue::from_static(coding))));
    }
    response
}

/// The tag of a file: its git blob id, which is a hash of the content and the same on every server.
///
/// It is strong for the uncompressed file. A compressed file has other bytes and cannot have the same strong tag, so
/// its tag is weak. `If-None-Match` compares weakly, so a 304 is correct even if the client keeps another encoding;
/// proxies that compress weaken tags, too.
fn entity_tag(id: Oid, coding: Coding) -> HeaderValue {
    let mut tag = [b'"'; 44];
    tag[..2].copy_from_slice(b"W/");
    tag[3..43].copy_from_slice(&digits(id));
    let tag = if coding == Coding::Identity { &tag[2..] } else { &tag };
    HeaderValue::from_bytes(tag).expect("hexadecimal digits and quotes") // all of them allowed in a header
}

/// The hexadecimal digits of an id.
fn digits(id: Oid) -> [u8; 40] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 40];
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(id.as_bytes()) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    digits
}
