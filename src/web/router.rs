//! The routes, and the layers around all of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{from_fn, from_fn_with_state, map_request};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

use super::extract::unread_body;
use super::fast_path::FastPath;
use super::health::Health;
use super::limits::{address_requests, reads};
use super::measures::requests;
use super::metrics::Metrics;
use super::request_id::Proxies;
use super::shortened::shortened;
use super::unnamed_proxies::UnnamedProxies;
use super::{
    ApiError, App, advisory_repository, base_path, cors, disconnection, docs, doubled_slashes, health, index, metrics,
    openapi, pages, private, refusals, request_form, request_id, stage, upstreams,
};

/// For responses that do not set Cache-Control: the next publish outdates a response about a crate.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Browsers must not guess another content type.
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
/// Browsers that used HTTPS use nothing else for a year.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The registry.
pub struct Registry {
    pub router: Router,
    /// Answers in front of the router; `None` if the settings rule it out.
    pub fast_path: Option<FastPath>,
}

/// The registry's router alone.
pub fn router(app: App) -> Router {
    registry(app, None).router
}

/// `/metrics` and the health checks, for a listener of their own.
pub fn operator_router(metrics: Metrics, health: Health) -> Router {
    let router = Router::new().merge(metrics::router(metrics)).merge(health::router(health));
    let router = router.method_not_allowed_fallback(method_not_allowed).fallback(async |uri: Uri| {
        ApiError::not_found(format!(
            "there is nothing at {}: this port has /metrics, /health/live and /health/ready",
            shortened(uri.path())
        ))
    });
    with_layers(router, Proxies::default(), false)
}

/// The registry, with `/metrics` or without.
pub fn registry(app: App, metrics: Option<Metrics>) -> Registry {
    let index = index::router(app.index.clone(), &app.settings.base_url);
    let nowhere = app.clone();
    let proxies = Proxies { trusted: app.settings.trusted_proxies.clone(), unnamed: Some(UnnamedProxies::default()) };
    let is_https = app.settings.base_url.starts_with("https://");
    let fast_path = FastPath::new(&app, &proxies, constant_headers(is_https));
    let router = Router::new()
        .merge(openapi::router(&app.settings.base_url))
        .merge(stage::router())
        .merge(upstreams::router())
        .merge(advisory_repository::routes::router())
        .with_state(app.clone())
        .merge(index)
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(async move |headers: HeaderMap, uri: Uri| nothing_there(&nowhere, &headers, &uri).await);
    let router =
        if app.settings.auth_required { router.layer(from_fn_with_state(app.clone(), private::guard)) } else { router };
    let router = router.merge(pages::router(app.clone()));
    let address_requests = app.settings.address_requests.clone();
    let router = router
        // Outside the guard: a client that looks for the index in the wrong place needs its URL to log in at the right one.
        .layer(from_fn_with_state(Arc::from(&*app.settings.base_url), index::misplaced::explain))
        .layer(from_fn_with_state(address_requests, address_requests::limit))
        .layer(from_fn(reads::mark));
    let router = match cors::layer(&app.settings.shared_with, app.settings.auth_required) {
        Some(cors) => router.layer(from_fn_with_state(cors, cors::share)),
        None => router,
    };
    let mut router = router.merge(health::router(app.health.clone()));
    if let Some(metrics) = metrics {
        router = router.merge(metrics::router(metrics));
    }
    let router = match &app.settings.docs.url {
        Some(url) => router.layer(from_fn_with_state(docs::host::OwnHost::new(&app, url), docs::host::divide)),
        None => router,
    };
    let base_url = &app.settings.base_url;
    Registry { router: base_path::serve_under(base_url, with_layers(router, proxies, is_https)), fast_path }
}

/// The headers of every answer.
fn constant_headers(is_https: bool) -> HeaderMap {
    let https_only = is_https.then_some((header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY));
    [(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFFING)].into_iter().chain(https_only).collect()
}

/// Adds the layers that every route has.
fn with_layers(router: Router, proxies: Proxies, is_https: bool) -> Router {
    let router = router
        .layer(from_fn(refusals::log))
        .layer(from_fn(request_form::check))
        .layer(from_fn(unread_body::drain))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TraceLayer::new_for_http().make_span_with(request_id::span).on_response(answered).on_failure(()))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, NO_STORE))
        .layer(SetResponseHeaderLayer::overriding(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFFING))
        .layer(SetResponseHeaderLayer::overriding(header::STRICT_TRANSPORT_SECURITY, is_https.then_some(HTTPS_ONLY)))
        .layer(from_fn_with_state(proxies, request_id::identify))
        .layer(from_fn(disconnection::detect))
        .layer(from_fn(requests::measure));
    // The layers above run when the route is chosen already. To change the path before that takes a router around it.
    Router::new().fallback_service(router).layer(map_request(doubled_slashes::fold))
}

/// The answer to a path that is no route: a page for a browser.
async fn nothing_there(app: &App, headers: &HeaderMap, uri: &Uri) -> Response {
    if pages::wants_html(headers) {
        let detail = format!("there is no page at {}", shortened(uri.path()));
        return pages::error(app, headers, ApiError::not_found(detail)).await;
    }
    not_found(&app.settings.base_url, uri).into_response()
}

fn not_found(base_url: &str, uri: &Uri) -> ApiError {
    ApiError::not_found(format!(
        "there is nothing at {}: the API is under {base_url}/api/v1, the sparse index is sparse+{base_url}/index/ and the \
         git index {base_url}/git/index",
        shortened(uri.path())
    ))
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} does not accept {}", shortened(uri.path()), shortened(method.as_str())),
    )
}

fn panicked(payload: Box<dyn std::any::Any + Send>) -> Response {
    // The panic hook has logged it.
    drop(payload);
    ApiError::after_panic().into_response()
}

fn answered<B>(response: &axum::http::Response<B>, took: Duration, span: &Span) {
    let status = response.status().as_u16();
    tracing::debug!(status, ?took, "answered");
    span.record("status", status);
}
