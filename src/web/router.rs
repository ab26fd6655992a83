//! Which path leads where.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

use super::{ApiError, App, hanging_up, health, index, openapi, pages, private, request_id};

/// What says nothing about caches may not be kept by any: an answer about a crate is out of date with the next publish.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");
/// Nobody is to guess that an answer is something else than it says.
const AS_LABELLED: HeaderValue = HeaderValue::from_static("nosniff");

/// The whole registry.
pub fn router(app: App) -> Router {
    let index = index::router(app.index.clone(), &app.settings.base_url);
    let base_url = app.settings.base_url.clone();
    let trusted_proxies = app.settings.trusted_proxies.clone();
    let router = Router::new()
        .route("/", get(pages::home))
        .route("/me", get(pages::me))
        .merge(openapi::router())
        .with_state(app.clone())
        .merge(index)
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(async move |uri: Uri| not_found(&base_url, &uri));
    let router =
        if app.settings.auth_required { router.layer(from_fn_with_state(app.clone(), private::guard)) } else { router };
    router
        .merge(health::router(app))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TraceLayer::new_for_http().make_span_with(request_id::span).on_response(answered).on_failure(()))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, NOT_KEPT))
        .layer(SetResponseHeaderLayer::overriding(header::X_CONTENT_TYPE_OPTIONS, AS_LABELLED))
        .layer(from_fn_with_state(trusted_proxies, request_id::identify))
        .layer(from_fn(hanging_up::notice))
}

fn not_found(base_url: &str, uri: &Uri) -> ApiError {
    ApiError::not_found(format!(
        "there is nothing at {}: the API is under {base_url}/api/v1, the sparse index is sparse+{base_url}/index/ and the \
         git index {base_url}/git/index",
        uri.path()
    ))
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}

fn panicked(payload: Box<dyn std::any::Any + Send>) -> Response {
    // The panic hook has told where and why.
    drop(payload);
    ApiError::after_panic().into_response()
}

fn answered<B>(response: &axum::http::Response<B>, took: Duration, span: &Span) {
    let status = response.status().as_u16();
    tracing::debug!(status, ?took, "answered");
    span.record("status", status);
}
