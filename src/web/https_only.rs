//! What a client is told that speaks HTTP where HTTPS is served: without it the client would see a connection that
//! breaks, or bytes of a TLS alert.

use axum::Router;
use axum::http::StatusCode;

use super::ApiError;

/// Answers everything with the right address.
pub fn router(base_url: String) -> Router {
    Router::new().fallback(async move || {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("this port speaks HTTPS and not HTTP: the registry is at {base_url}"),
        )
    })
}
