//! `/api/v1/advisories`: security advisories, those of this registry and those about upstreams.

pub mod changes;
pub mod check;
pub mod listing;

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use utoipa::IntoParams;

use crate::advisory::is_id;
use crate::database::advisories::known;
use crate::database::advisories::own::{self, OWN};
use crate::own_advisories::repository;
use crate::web::extract::path::{ApiPath, as_in_a_url};
use crate::web::extract::query::QueryParameters;
use crate::web::shortened::shortened;
use crate::web::views::Errors;
use crate::web::{ApiError, App};

/// Describes an advisory in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct AdvisoryPath {
    /// The id of the advisory.
    #[param(example = "RUSTSEC-2026-0001")]
    id: String,
}

/// Describes the query.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct AdvisoryQuery {
    /// That of this upstream, if several have advisories of this id. Without it, that of this registry is preferred.
    #[param(example = "crates-io")]
    upstream: Option<String>,
}

/// Show a security advisory
///
/// The document is in the form of OSV (<https://ossf.github.io/osv-schema/>). One about an upstream has the fields of its source. One
/// that is withdrawn, or gone from its source, is shown as well.
#[utoipa::path(
    get,
    path = "/api/v1/advisories/{id}",
    tag = "advisories",
    params(AdvisoryPath, AdvisoryQuery),
    responses(
        (status = 200, body = Value, description = "The advisory"),
        (status = 404, body = Errors, description = "There is no such advisory"),
    )
)]
pub async fn show(
    State(app): State<App>,
    ApiPath(id): ApiPath<String>,
    query: QueryParameters,
) -> Result<Json<Value>, ApiError> {
    let (origin, upstream) = (app.settings.origin(), query.text("upstream"));
    if !is_id(&id) {
        return Err(none(&id));
    }
    let found = app.with_connection(move |connection| {
        let (upstream, document) = known::document(connection, &id, upstream.as_deref())?.ok_or_else(|| none(&id))?;
        if upstream != OWN {
            return Ok(document);
        }
        let revision = own::find(connection, &id)?.ok_or_else(|| none(&id))?;
        repository::osv(&revision, &origin).map_err(ApiError::internal)
    });
    found.await.map(Json)
}

fn none(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no advisory {}", shortened(&as_in_a_url(id))))
}
