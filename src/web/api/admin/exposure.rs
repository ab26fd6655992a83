//! `/api/v1/admin/upstreams/{name}/exposure/{crate}/{version}`: who is exposed to a version of an upstream.

use axum::extract::State;
use axum::response::Response;
use utoipa::IntoParams;

use super::requests::read;
use crate::exposure::{self, Exposure};
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::{ApiPath, crate_and_version};
use crate::web::extract::query::QueryParameters;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// Names a version of an upstream in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct UpstreamVersionPath {
    /// The name of the upstream.
    #[param(example = "crates-io")]
    name: String,
    /// The crate, in any spelling.
    #[param(rename = "crate", example = "arrayref")]
    krate: String,
    #[param(example = "0.3.10")]
    version: String,
}

/// Which downloads are meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct ExposureQuery {
    /// Only downloads from this time on.
    #[param(example = "2030-01-01T00:00:00Z")]
    since: Option<String>,
}

/// List who downloaded a version of an upstream, and which crates depend on it
///
/// Downloads are known as far as they are logged (`--download-log-retention`); `notes` say what is missing. Dependents are the crates of
/// this registry whose default version may take this version.
#[utoipa::path(
    get,
    path = "/api/v1/admin/upstreams/{name}/exposure/{crate}/{version}",
    tag = "admin",
    params(UpstreamVersionPath, ExposureQuery),
    security(("token" = ["administer"])),
    responses((status = 200, body = Exposure, description = "Who is exposed"), AnyError),
)]
pub async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath((of, name, num)): ApiPath<(String, String, String)>,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    caller.sees_administration()?;
    query.refuse_others(&["since"])?;
    let since = query.time("since")?;
    let (name, version) = crate_and_version(&name, &num)?;
    let question = app.settings.upstreams.exposure(&app.settings.base_url, &of, (name, Some(version))).await;
    let question = question.ok_or_else(|| ApiError::not_found(app.settings.upstreams.no_such(&of)))?;
    let question = exposure::Question { since, ..question };
    let found = read(&app, &caller, move |connection| Ok(exposure::find(connection, &question)?)).await?;
    Ok(unstored(found))
}
