//! `GET /api/v1/advisories/{id}`: an advisory in the form of OSV.

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use utoipa::IntoParams;

use crate::database::advisories::known;
use crate::web::extract::path::{ApiPath, as_in_a_url};
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

/// Show a security advisory about a crate of an upstream
///
/// The document is in the form of OSV (<https://ossf.github.io/osv-schema/>), and has the fields of its source. One that is withdrawn,
/// or gone from its source, is shown as well.
#[utoipa::path(
    get,
    path = "/api/v1/advisories/{id}",
    tag = "advisories",
    params(AdvisoryPath),
    responses(
        (status = 200, body = Value, description = "The advisory"),
        (status = 404, body = Errors, description = "There is no such advisory"),
    )
)]
pub async fn show(State(app): State<App>, ApiPath(id): ApiPath<String>) -> Result<Json<Value>, ApiError> {
    let found = app.with_connection(move |connection| {
        let document = known::document(connection, &id)?;
        document.ok_or_else(|| ApiError::not_found(format!("there is no advisory {}", shortened(&as_in_a_url(&id)))))
    });
    found.await.map(Json)
}
