//! The parts of a path, refused in the form that cargo reads: axum's own refusal is plain text, which cargo shows as a
//! dump of status, headers and body.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::web::ApiError;

/// What stands in a route's path where its pattern has names.
pub struct ApiPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for ApiPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Path::from_request_parts(parts, state).await;
        found.map(|Path(path)| Self(path)).map_err(refused)
    }
}

/// A crate in a path, for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the description is all there is to it")]
pub struct CratePath {
    /// The name, in any spelling.
    #[param(rename = "crate", example = "demo")]
    krate: String,
}

/// A version in a path, for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the description is all there is to it")]
pub struct VersionPath {
    /// The name, in any spelling.
    #[param(rename = "crate", example = "demo")]
    krate: String,
    /// The version with its build metadata.
    #[param(example = "1.0.0")]
    version: String,
}

fn refused(rejection: PathRejection) -> ApiError {
    if rejection.status().is_client_error() {
        ApiError::not_found("there is nothing at this path: what its %-signs encode is not UTF-8")
    } else {
        ApiError::internal(rejection)
    }
}
