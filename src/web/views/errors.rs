//! Errors.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// The body of every error response.
#[derive(Serialize, ToSchema)]
pub struct Errors {
    pub errors: Vec<ErrorDetail>,
}

/// One error.
#[derive(Serialize, ToSchema)]
pub struct ErrorDetail {
    /// What is wrong, with the value, and the remedy.
    pub detail: String,
}

/// Describes the errors that any endpoint may answer with.
pub struct AnyError;

impl IntoResponses for AnyError {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let response = |description: &str| {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Errors"))).build();
            RefOr::T(ResponseBuilder::new().description(description).content("application/json", content).build())
        };
        [
            ("400", "The request is invalid; `detail` names the value and the remedy"),
            ("401", "A token is required"),
            ("403", "The token, or its user, may not do this"),
            ("404", "It does not exist"),
            ("408", "The request body arrived too slowly"),
            ("409", "It conflicts with what already exists"),
            ("413", "The request is too large"),
            ("429", "Too many requests; retry after `Retry-After` seconds"),
            ("503", "The database or the storage is unavailable; retry after `Retry-After` seconds"),
        ]
        .into_iter()
        .map(|(status, description)| (status.to_owned(), response(description)))
        .collect()
    }
}
