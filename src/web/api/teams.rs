//! `GET /api/v1/teams/{team}`: shows a team.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::access::teams::{self, PREFIX};
use crate::web::extract::path::ApiPath;
use crate::web::shortened::shortened;
use crate::web::views::{Errors, TeamView};
use crate::web::{ApiError, App};

/// A team.
#[derive(Serialize, ToSchema)]
pub struct TeamAnswer {
    team: TeamView,
}

/// Show a team
#[utoipa::path(
    get,
    path = "/api/v1/teams/{team}",
    tag = "users",
    params(("team" = String, Path, description = "The team as `team:NAME`, in any case")),
    responses((status = 200, body = TeamAnswer, description = "The team"), (status = 404, body = Errors, description = "There is no such team"))
)]
pub async fn show(State(app): State<App>, ApiPath(login): ApiPath<String>) -> Result<Json<TeamAnswer>, ApiError> {
    let missing = ApiError::not_found(format!("there is no team `{}`: name it as `team:NAME`", shortened(&login)));
    let Some(name) = login.strip_prefix(PREFIX).map(str::to_owned) else { return Err(missing) };
    let team = app.with_connection(move |connection| teams::find(connection, &name)).await?.ok_or(missing)?;
    Ok(Json(TeamAnswer { team: TeamView::new(team, &app.settings.base_url) }))
}
