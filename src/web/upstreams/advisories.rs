//! `GET /upstream/{name}/api/v1/crates/{crate}/advisories` and `…/{crate}/{version}/advisories`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::lookup::no_upstream;
use crate::database::advisories::known::{self, Wanted};
use crate::package::{CrateName, Version};
use crate::web::extract::path::{ApiPath, crate_and_version, crate_name};
use crate::web::views::AdvisoriesView;
use crate::web::{ApiError, App};

/// All about a crate that are not withdrawn.
pub(super) async fn of_crate(
    State(app): State<App>,
    ApiPath((of, name)): ApiPath<(String, String)>,
) -> Result<Response, ApiError> {
    let name = crate_name(&name)?;
    list(&app, &of, name, None).await
}

/// Those that affect a version.
pub(super) async fn of_version(
    State(app): State<App>,
    ApiPath((of, name, num)): ApiPath<(String, String, String)>,
) -> Result<Response, ApiError> {
    let (name, version) = crate_and_version(&name, &num)?;
    list(&app, &of, name, Some(version)).await
}

async fn list(app: &App, of: &str, name: CrateName, version: Option<Version>) -> Result<Response, ApiError> {
    let Some(upstream) = app.settings.upstreams.find(of) else { return Ok(no_upstream(app, of)) };
    let actions = upstream.settings.advisory_actions;
    let wanted = Wanted { upstream: Some(of.to_owned()), canonical_name: Some(name.canonical()), ..Wanted::default() };
    let rows = app.with_connection(move |connection| Ok::<_, ApiError>(known::list(connection, &wanted)?)).await?;
    let view =
        AdvisoriesView::of(rows, version.as_ref(), (&actions, &app.settings.origin())).map_err(ApiError::internal)?;
    Ok(Json(view).into_response())
}
