//! The response to HTTP requests on an HTTPS port. Without it, clients would see a broken connection or a TLS alert.

use axum::Router;
use axum::http::StatusCode;

use super::ApiError;

/// Refuses every request and names the registry's URL.
pub fn router(base_url: String) -> Router {
    Router::new().fallback(async move || {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("this port serves HTTPS, not HTTP: the registry is at {base_url}"),
        )
    })
}
