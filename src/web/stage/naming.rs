//! The names and URLs of sets.

use axum::http::StatusCode;

use crate::database::catalog::set_name::InvalidSetName;
use crate::database::staging::SetName;
use crate::web::{ApiError, App};

/// The name of a set in a path. Text that is no name names no set.
pub(super) fn set_name(text: &str) -> Result<SetName, ApiError> {
    text.parse().map_err(|wrong: InvalidSetName| ApiError::new(StatusCode::BAD_REQUEST, wrong.to_string()))
}

/// The base URL of a set.
pub(super) fn base_of(app: &App, set: &SetName) -> String {
    format!("{}/stage/{set}", app.settings.base_url)
}
