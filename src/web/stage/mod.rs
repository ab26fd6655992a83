//! `/stage/{set}/…`: a release set as a registry of its own, which is the main one with the set on top.
//!
//! Each set has an index, and an API for what cargo does with it: it publishes, yanks and downloads. Whatever is not in the set
//! is answered as the main registry answers it. The URLs go on as aliases of the main registry when the set has ended, because
//! lock files name them; so a name without a set is an alias, too.

mod changes;
mod download;
mod index;
mod merged;
mod naming;
pub mod overlays;
mod publishing;
mod reading;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::routing::{any, delete, get, put};

use self::naming::set_name;
use super::shortened::shortened;
use super::{ApiError, App};

pub use index::recall;

/// The routes of all sets.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/stage/{set}/index", get(index::about))
        .route("/stage/{set}/index/", get(index::about))
        .route("/stage/{set}/index/config.json", get(index::config))
        .route("/stage/{set}/index/{*path}", get(index::file))
        .route("/stage/{set}/api/v1/crates/new", put(publishing::publish))
        .route("/stage/{set}/api/v1/crates/{crate}/{version}", delete(changes::remove).fallback(only_of_the_registry))
        .route("/stage/{set}/api/v1/crates/{crate}/{version}/yank", delete(changes::yank))
        .route("/stage/{set}/api/v1/crates/{crate}/{version}/unyank", put(changes::unyank))
        .route("/stage/{set}/api/v1/crates/{crate}/{version}/download", get(download::download))
        .route("/stage/{set}/api/{*rest}", any(only_of_the_registry))
        .route("/stage/{set}/me", get(me))
}

/// What cargo asks of the API beside publishing and yanking concerns the registry as a whole.
async fn only_of_the_registry(State(app): State<App>, uri: Uri) -> ApiError {
    let below = uri.path().split_once("/stage/").map_or("", |(_, below)| below);
    let (set, path) = below.split_once('/').unwrap_or((below, ""));
    match set_name(set) {
        Ok(_) => ApiError::not_found(format!(
            "a release set has no /{}: publish, yank and download there, and use {}/api/v1 for everything else",
            shortened(path),
            app.settings.base_url
        )),
        Err(error) => error,
    }
}

/// `cargo login` names this page.
async fn me(State(app): State<App>) -> Response<Body> {
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    let url = HeaderValue::try_from(format!("{}/me", app.settings.base_url));
    response.headers_mut().extend(url.map(|url| (header::LOCATION, url)));
    response
}
