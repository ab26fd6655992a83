//! The routes of the repository.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};

use super::AdvisoryRepository;
use crate::error_chain::ErrorChain;
use crate::own_advisories::repository::Repository;
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
    let Some(AdvisoryRepository(parts)) = app.settings.advisories.clone() else { return unavailable(UNREADABLE) };
    let version = match endpoints::service(&uri, &headers) {
        Service::Fetch(version) => version,
        Service::Push => return plain(StatusCode::FORBIDDEN, READ_ONLY),
        Service::Other(response) => return response,
    };
    match update(&app, &parts).await {
        Ok(()) => parts.1.info_refs(version).await,
        Err(response) => response,
    }
}

/// Brings the repository up to date. Before each part of a fetch, since another machine may have answered the part before.
async fn update(app: &App, parts: &Arc<(Repository, GitService)>) -> Result<(), Response<Body>> {
    let updating = Arc::clone(parts);
    let updated = app.with_connection(move |connection| Ok::<_, ApiError>(updating.0.update(connection)));
    match updated.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::error!(error = %ErrorChain::of(&error), "the repository of the advisories cannot be brought up to date");
            Err(unavailable(UNREADABLE))
        }
        Err(error) => Err(error.into_response()),
    }
}

async fn upload_pack(State(app): State<App>, address: ClientAddress, headers: HeaderMap, body: Body) -> Response<Body> {
    let Some(AdvisoryRepository(parts)) = app.settings.advisories.clone() else { return unavailable(UNREADABLE) };
    if let Some(refusal) = endpoints::refuse_other_content(&headers) {
        return refusal;
    }
    match update(&app, &parts).await {
        Ok(()) => parts.1.upload_pack(&headers, address, body).await,
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
