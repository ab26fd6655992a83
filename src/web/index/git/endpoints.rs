//! The endpoints of the git protocol.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;

use super::version::Version;
use crate::web::client_address::ClientAddress;
use crate::web::index::blocking::blocking;
use crate::web::index::plain_text::{BEING_FETCHED, SHUTTING_DOWN, UNREADABLE, plain, unavailable};
use crate::web::index::state::Served;

const READ_ONLY: &str = "the index is read-only: use cargo publish";
const SMART_HTTP_ONLY: &str = "the index is served by git's smart HTTP protocol only";

/// `GET /git/index`: an introduction for people.
pub async fn about(State(served): State<Served>) -> impl IntoResponse {
    let base = &served.base_url;
    let text = format!(
        "This is a cargo index for git. To use it, set the registry's index to `{base}/git/index` in \
         .cargo/config.toml, or run `git clone {base}/git/index`."
    );
    plain(StatusCode::OK, text)
}

/// The service that a client asks for.
pub enum Service {
    Fetch(Version),
    Push,
    /// None that there is.
    Other(Response<Body>),
}

/// The service that a request for the references names.
pub fn service(uri: &Uri, headers: &HeaderMap) -> Service {
    let query = uri.query().unwrap_or_default();
    match query.split('&').find_map(|pair| pair.strip_prefix("service=")) {
        Some("git-upload-pack") => Service::Fetch(Version::of(headers)),
        Some("git-receive-pack") => Service::Push,
        Some(_) => Service::Other(plain(StatusCode::FORBIDDEN, "no such git service: use git-upload-pack")),
        None => {
            let text = "this is served by git's smart HTTP protocol only: use git 1.6.6 or newer";
            Service::Other(plain(StatusCode::FORBIDDEN, text))
        }
    }
}

/// `GET /git/index/info/refs?service=git-upload-pack`: the references.
pub async fn info_refs(State(served): State<Served>, uri: Uri, headers: HeaderMap) -> Response<Body> {
    match service(&uri, &headers) {
        Service::Fetch(version) => match not_fetched_yet(&served).await {
            Some(response) => response,
            None => served.index.git.info_refs(version).await,
        },
        Service::Push => plain(StatusCode::FORBIDDEN, READ_ONLY),
        Service::Other(response) => response,
    }
}

/// The answer to a request that is no fetch.
pub fn refuse_other_content(headers: &HeaderMap) -> Option<Response<Body>> {
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    let text = "unsupported Content-Type: a fetch has application/x-git-upload-pack-request";
    (content_type != Some(b"application/x-git-upload-pack-request"))
        .then(|| plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
}

/// `POST /git/index/git-upload-pack`: a fetch.
pub async fn upload_pack(
    State(served): State<Served>,
    address: ClientAddress,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    if let Some(refusal) = refuse_other_content(&headers) {
        return refusal;
    }
    match not_fetched_yet(&served).await {
        Some(response) => response,
        None => served.index.git.upload_pack(&headers, address, body).await,
    }
}

/// The answer while the index is not fetched from its remote: clients would take an empty repository for an empty
/// index.
async fn not_fetched_yet(served: &Served) -> Option<Response<Body>> {
    let index = served.index.view.index();
    index.remote()?;
    let index = index.clone();
    match blocking(move || index.is_being_fetched()).await {
        Some(Ok(false)) => None,
        Some(Ok(true)) => Some(unavailable(BEING_FETCHED)),
        Some(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the index cannot be read");
            Some(unavailable(UNREADABLE))
        }
        None => Some(unavailable(SHUTTING_DOWN)),
    }
}

/// A push.
pub async fn receive_pack() -> impl IntoResponse {
    plain(StatusCode::FORBIDDEN, READ_ONLY)
}

/// Any other path: a client of the dumb protocol, which reads the files of the repository, or of the sparse protocol.
pub async fn dumb(State(served): State<Served>) -> impl IntoResponse {
    let base = &served.base_url;
    let remedy = format!("run `git clone {base}/git/index`, or use sparse+{base}/index/ for cargo's sparse protocol");
    plain(StatusCode::NOT_FOUND, format!("{SMART_HTTP_ONLY}: {remedy}"))
}

/// A URL with `.git`.
pub async fn dot_git(State(served): State<Served>) -> impl IntoResponse {
    let base = &served.base_url;
    plain(StatusCode::NOT_FOUND, format!("no such index: use {base}/git/index, without `.git` at the end"))
}
