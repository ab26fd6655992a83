//! Answers that many endpoints share.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// The errors that any endpoint may answer, all in one form.
pub struct AnyError;

impl IntoResponses for AnyError {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let answer = |description: &str| {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Errors"))).build();
            RefOr::T(ResponseBuilder::new().description(description).content("application/json", content).build())
        };
        [
            ("400", "The request is wrong; `detail` names the value and the remedy"),
            ("401", "A token is needed"),
            ("403", "The token, or its user, may not do this"),
            ("404", "There is no such thing"),
            ("408", "The request's body came too slowly"),
            ("409", "It is there already"),
            ("413", "The request is too large"),
            ("429", "Too many requests; `Retry-After` says when to try again"),
            ("503", "Something that the registry depends on is away; try again after `Retry-After` seconds"),
        ]
        .into_iter()
        .map(|(status, description)| (status.to_owned(), answer(description)))
        .collect()
    }
}
