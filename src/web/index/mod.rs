//! The index over HTTP, by both of cargo's protocols. Both read the same head of one repository, so they always agree.

pub(super) mod accept_encoding;
mod blocking;
pub mod git;
pub mod misplaced;
pub(super) mod plain_text;
pub(super) mod sparse;
mod state;

#[cfg(test)]
mod tests;

use axum::Router;
use axum::routing::{any, get, post};

use self::git::endpoints;
pub use self::git::{GitService, Limits};
pub use self::state::IndexState;
use self::state::Served;

/// The routes `/index/…` and `/git/index…`, as full paths.
pub fn router(index: IndexState, base_url: &str) -> Router {
    Router::new()
        .route("/index", get(sparse::about))
        .route("/index/", get(sparse::about))
        .route("/index/config.json", get(sparse::config))
        .route("/index/{*path}", get(sparse::file))
        .route("/git/index", get(endpoints::about))
        .route("/git/index/", get(endpoints::about))
        .route("/git/index/info/refs", get(endpoints::info_refs))
        .route("/git/index/git-upload-pack", post(endpoints::upload_pack))
        .route("/git/index/git-receive-pack", any(endpoints::receive_pack))
        .route("/git/index/{*path}", any(endpoints::dumb))
        .route("/git/index.git", any(endpoints::dot_git))
        .route("/git/index.git/{*path}", any(endpoints::dot_git))
        .with_state(Served { index, base_url: base_url.into() })
}
