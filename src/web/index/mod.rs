//! The index over HTTP, by both of cargo's protocols and from one repository: what the sparse protocol answers and
//! what a git client fetches are the same head, so they can't disagree.

mod accept_encoding;
mod git;
mod plain_text;
mod sparse;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post};

pub use git::{GitService, Limits};

use crate::index::View;

/// What the handlers of the index need.
#[derive(Debug, Clone)]
pub struct IndexState {
    /// The files of the sparse protocol.
    pub view: View,
    /// The git program behind the git protocol.
    pub git: GitService,
}

/// What the handlers are given.
#[derive(Debug, Clone)]
struct Served {
    index: IndexState,
    /// Where clients reach the registry, without a slash at its end; for answers that say where to look.
    base_url: Arc<str>,
}

/// The routes `/index/…` and `/git/index…`, as full paths.
pub fn router(index: IndexState, base_url: &str) -> Router {
    Router::new()
        .route("/index", get(sparse::about))
        .route("/index/", get(sparse::about))
        .route("/index/config.json", get(sparse::config))
        .route("/index/{*path}", get(sparse::file))
        .route("/git/index", get(git::about))
        .route("/git/index/", get(git::about))
        .route("/git/index/info/refs", get(git::info_refs))
        .route("/git/index/git-upload-pack", post(git::upload_pack))
        .route("/git/index/git-receive-pack", any(git::receive_pack))
        .route("/git/index/{*path}", any(git::dumb))
        .route("/git/index.git", any(git::dot_git))
        .route("/git/index.git/{*path}", any(git::dot_git))
        .with_state(Served { index, base_url: base_url.into() })
}

/// Runs code that blocks (git objects, decompression) on a thread that may; a panic in it goes on in the caller.
///
/// `None`: the server is shutting down.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let span = tracing::Span::current();
    match tokio::task::spawn_blocking(move || span.in_scope(work)).await {
        Ok(value) => Some(value),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

#[cfg(test)]
mod tests;
