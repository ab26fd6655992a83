//! The git protocol: smart HTTP, read only. Source: git's `gitprotocol-http` and `http-backend`.
//!
//! The address has no `.git` at its end and there is one address only: cargo takes an index by its URL, and two URLs of
//! one index are two sources to it.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;

use super::plain_text::{BEING_FETCHED, sentence, unavailable};
use super::upload_pack::{Request, read_request};
use super::{Served, blocking};

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
        Some("git-upload-pack") => answer(&served, Request::advertisement(&headers)).await,
        Some("git-receive-pack") => sentence(StatusCode::FORBIDDEN, READ_ONLY),
        Some(_) => sentence(StatusCode::FORBIDDEN, "There is no such git service here; git-upload-pack is."),
        None => sentence(
            StatusCode::FORBIDDEN,
            "The index is served by git's smart HTTP protocol only; use git 1.6.6 or newer.",
        ),
    }
}

/// `POST /git/index/git-upload-pack`: a fetch.
pub async fn upload_pack(State(served): State<Served>, headers: HeaderMap, body: Body) -> Response<Body> {
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    if content_type != Some(b"application/x-git-upload-pack-request") {
        return sentence(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "A fetch has the content type application/x-git-upload-pack-request.",
        );
    }
    match read_request(&headers, body).await {
        Ok(input) => answer(&served, Request::fetch(&headers, input)).await,
        Err(refusal) => refusal,
    }
}

/// What git says, once there is something to ask it about: an empty repository would be taken for an empty index.
async fn answer(served: &Served, request: Request) -> Response<Body> {
    let index = served.index.view.index();
    if index.remote().is_some() {
        let index = index.clone();
        match blocking(move || index.is_being_fetched()).await {
            Some(Ok(false)) => {}
            Some(Ok(true)) => return unavailable(BEING_FETCHED),
            Some(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the index can't be read");
                return unavailable("The index can't be read at the moment; the server's log tells why.");
            }
            None => return unavailable("The server is shutting down."),
        }
    }
    served.index.git.answer(request).await
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
