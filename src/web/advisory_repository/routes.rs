//! The routes of the repository.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};

use crate::error_chain::ErrorChain;
use crate::web::client_address::ClientAddress;
use crate::web::index::GitService;
use crate::web::index::git::endpoints::{self, Service};
use crate::web::index::plain_text::{plain, unavailable};
use crate::web::{ApiError, App};

const UNREADABLE: &str = "the advisories cannot be read: see the server log";
const READ_ONLY: &str = "the repository is read-only: publish advisories with `supercargo advisory add`";

pub(in crate::web) fn router() -> Router<App> {
    Router::new()
        .route("/git/advisories", get(about))
        .route("/git/advisories/", get(about))
        .route("/git/advisories/info/refs", get(info_refs))
        .route("/git/advisories/git-upload-pack", post(upload_pack))
        .route("/git/advisories/{*path}", any(other))
}

async fn about(State(app): State<App>) -> Response<Body> {
    let base = &app.settings.base_url;
    let text = format!(
        "These are the security advisories about crates of this registry, in the layout of RustSec's database. Run `git clone \
         {base}/git/advisories`. To check a Cargo.lock: `curl --data-binary @Cargo.lock {base}/api/v1/advisories/check`."
    );
    plain(StatusCode::OK, text)
}

async fn info_refs(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let version = match endpoints::service(&uri, &headers) {
        Service::Fetch(version) => version,
        Service::Push => return plain(StatusCode::FORBIDDEN, READ_ONLY),
        Service::Other(response) => return response,
    };
    match updated(&app).await {
        Ok(service) => service.info_refs(version).await,
        Err(response) => response,
    }
}

/// Brings the repository up to date; returns what serves it. Before each part of a fetch, since another machine may have answered the part before.
async fn updated(app: &App) -> Result<GitService, Response<Body>> {
    let Some(repository) = app.settings.advisories.clone() else { return Err(unavailable(UNREADABLE)) };
    let updated = app.with_connection(move |connection| Ok::<_, ApiError>(repository.update(connection)));
    match updated.await {
        Ok(Ok(service)) => Ok(service),
        Ok(Err(error)) => {
            tracing::error!(error = %ErrorChain::of(&error), "the repository of the advisories cannot be brought up to date");
            Err(unavailable(UNREADABLE))
        }
        Err(error) => Err(error.into_response()),
    }
}

async fn upload_pack(State(app): State<App>, address: ClientAddress, headers: HeaderMap, body: Body) -> Response<Body> {
    if let Some(refusal) = endpoints::refuse_other_content(&headers) {
        return refusal;
    }
    match updated(&app).await {
        Ok(service) => service.upload_pack(&headers, address, body).await,
        Err(response) => response,
    }
}

async fn other(State(app): State<App>, uri: Uri) -> Response<Body> {
    if uri.path().ends_with("/git-receive-pack") {
        return plain(StatusCode::FORBIDDEN, READ_ONLY);
    }
    let base = &app.settings.base_url;
    plain(
        StatusCode::NOT_FOUND,
        format!("the advisories are served by git's smart HTTP protocol only: run `git clone {base}/git/advisories`"),
    )
}
