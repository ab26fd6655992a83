//! The git protocol: smart HTTP, read only. Source: git's `gitprotocol-http` and `http-backend`.
//!
//! The address has no `.git` at its end and there is one address only: cargo takes an index by its URL, and two URLs of
//! one index are two sources to it.
//!
//! What a request costs is bounded before git is started. References come from memory; a request for objects is read whole
//! (`body`), held against the protocol (`request`, `wanted`), and waits for one of a few processes (`limits`, `child`). Their answers
//! go to disk at git's pace (`spool`), from where clients take them at their own (`follow`), several of them the same one
//! (`kept`).

mod body;
mod child;
mod follow;
mod kept;
mod limits;
mod packets;
mod protocol;
mod references;
mod request;
mod service;
mod spool;
mod wanted;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;

pub use limits::Limits;
pub use service::GitService;

use self::protocol::Version;
use super::plain_text::{BEING_FETCHED, sentence, unavailable};
use super::{Served, blocking};
use crate::web::ClientAddress;

const READ_ONLY: &str = "The index is read-only; use cargo publish.";

/// `GET /git/index`: for a person who looks there.
pub async fn about(State(served): State<Served>) -> impl IntoResponse {
    let base = &served.base_url;
    let text = format!(
        "This is a cargo index for git: put `{base}/git/index` into .cargo/config.toml as the registry's index, or run `git clone` on it."
    );
    sentence(StatusCode::OK, text)
}

/// `GET /git/index/info/refs?service=git-upload-pack`: what there is to fetch.
pub async fn info_refs(State(served): State<Served>, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let query = uri.query().unwrap_or_default();
    match query.split('&').find_map(|pair| pair.strip_prefix("service=")) {
        Some("git-upload-pack") => match not_there_yet(&served).await {
            Some(refusal) => refusal,
            None => served.index.git.references(Version::of(&headers)).await,
        },
        Some("git-receive-pack") => sentence(StatusCode::FORBIDDEN, READ_ONLY),
        Some(_) => sentence(StatusCode::FORBIDDEN, "There is no such git service here; git-upload-pack is."),
        None => sentence(
            StatusCode::FORBIDDEN,
            "The index is served by git's smart HTTP protocol only; use git 1.6.6 or newer.",
        ),
    }
}

/// `POST /git/index/git-upload-pack`: a fetch.
pub async fn upload_pack(
    State(served): State<Served>,
    address: ClientAddress,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    if content_type != Some(b"application/x-git-upload-pack-request") {
        return sentence(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "A fetch has the content type application/x-git-upload-pack-request.",
        );
    }
    match not_there_yet(&served).await {
        Some(refusal) => refusal,
        None => served.index.git.fetch(&headers, address, body).await,
    }
}

/// The answer while there is nothing to ask git about: an empty repository would be taken for an empty index.
async fn not_there_yet(served: &Served) -> Option<Response<Body>> {
    let index = served.index.view.index();
    index.remote()?;
    let index = index.clone();
    match blocking(move || index.is_being_fetched()).await {
        Some(Ok(false)) => None,
        Some(Ok(true)) => Some(unavailable(BEING_FETCHED)),
        Some(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the index can't be read");
            Some(unavailable("The index can't be read at the moment; the server's log tells why."))
        }
        None => Some(unavailable("The server is shutting down.")),
    }
}

/// A push.
pub async fn receive_pack() -> impl IntoResponse {
    sentence(StatusCode::FORBIDDEN, READ_ONLY)
}

/// Any other path: a client of the dumb protocol, which reads the repository's files, or of the sparse one.
pub async fn dumb(State(served): State<Served>) -> impl IntoResponse {
    let text = format!(
        "The index is served by git's smart HTTP protocol only: its files can't be read one by one. For the sparse \
         protocol, use sparse+{}/index/",
        served.base_url
    );
    sentence(StatusCode::NOT_FOUND, text)
}

/// An address with `.git`.
pub async fn dot_git(State(served): State<Served>) -> impl IntoResponse {
    let text = format!("The index is at {}/git/index, without `.git` at the end.", served.base_url);
    sentence(StatusCode::NOT_FOUND, text)
}
