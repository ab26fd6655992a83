//! Which path leads where.

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tracing::Level;

use super::{ApiError, App, index, openapi, pages};

/// The whole registry.
pub fn router(app: App) -> Router {
    let index = index::router(app.index.clone());
    Router::new()
        .route("/", get(pages::home))
        .route("/me", get(pages::me))
        .merge(openapi::router())
        .with_state(app)
        .merge(index)
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(
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
