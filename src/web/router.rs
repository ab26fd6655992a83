//! Which path leads where.

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, put};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tracing::Level;

use super::{ApiError, App, api, index, pages, private};

/// The whole registry.
pub fn router(app: App) -> Router {
    let index = index::router(app.index.clone());
    let router = Router::new()
        .route("/", get(pages::home))
        .route("/me", get(pages::me))
        .route("/api/v1/crates/new", put(api::publish::publish))
        .route(
            "/api/v1/crates/{crate}/owners",
            get(api::owners::list).put(api::owners::add).delete(api::owners::remove),
        )
        .route("/api/v1/crates/{crate}/{version}", get(api::version::show).delete(api::deletion::delete))
        .route("/api/v1/crates/{crate}/{version}/yank", delete(api::yank::yank))
        .route("/api/v1/crates/{crate}/{version}/unyank", put(api::yank::unyank))
        .route("/api/v1/crates/{crate}/{version}/download", get(api::download::download))
        .route("/api/v1/me", get(api::tokens::me))
        .route("/api/v1/me/tokens", get(api::tokens::list).put(api::tokens::create))
        .route("/api/v1/me/tokens/{id}", delete(api::tokens::revoke))
        .route("/api/v1/tokens/current", delete(api::tokens::revoke_current))
        .route("/api/v1/admin/audit", get(api::audit::list))
        .with_state(app.clone())
        .merge(index)
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found);
    let router =
        if app.settings.auth_required { router.layer(from_fn_with_state(app, private::guard)) } else { router };
    router.layer(CatchPanicLayer::custom(panicked)).layer(
        TraceLayer::new_for_http()
            .make_span_with(DefaultMakeSpan::new().level(Level::DEBUG))
            .on_response(DefaultOnResponse::new().level(Level::DEBUG))
            .on_failure(()),
    )
}

async fn not_found(uri: Uri) -> ApiError {
    ApiError::not_found(format!(
        "there is nothing at {}: the API is under /api/v1, the sparse index under /index/ and the git index at /git/index",
        uri.path()
    ))
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}

fn panicked(payload: Box<dyn std::any::Any + Send>) -> Response {
    // The panic hook has told where and why.
    drop(payload);
    ApiError::internal("a handler panicked").into_response()
}
