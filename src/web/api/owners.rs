//! `GET /api/v1/crates/{crate}/owners`, `…/owner_user` and `…/owner_team`.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::path::CratePath;
use super::{ApiPath, crate_name, no_such_crate};
use crate::database::{crates, owners};
use crate::web::views::{Errors, OwnerView};
use crate::web::{ApiError, App, auth};

/// Owners that are users.
#[derive(Serialize, ToSchema)]
pub struct Owners {
    /// The first one first.
    users: Vec<OwnerView>,
}

/// Owners that are teams.
#[derive(Serialize, ToSchema)]
pub struct OwnerTeams {
    teams: Vec<OwnerView>,
}

/// List the owners of a crate
///
/// Needs a token, like every call that cargo makes with one.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/owners",
    tag = "owners",
    security(("token" = [])),
    params(CratePath),
    responses(
        (status = 200, body = Owners, description = "The owners"),
        (status = 401, body = Errors, description = "There is no token"),
        (status = 403, body = Errors, description = "The token is unknown or was revoked"),
        (status = 404, body = Errors, description = "There is no such crate"),
    )
)]
pub async fn list(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    headers: HeaderMap,
) -> Result<Json<Owners>, ApiError> {
    auth::authenticate(&app, &headers).await?;
    Ok(Json(Owners { users: of_crate(&app, &name).await? }))
}

/// List the users who own a crate
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/owner_user",
    tag = "owners",
    params(CratePath),
    responses((status = 200, body = Owners, description = "The users"), (status = 404, body = Errors, description = "There is no such crate"))
)]
pub async fn users(State(app): State<App>, ApiPath(name): ApiPath<String>) -> Result<Json<Owners>, ApiError> {
    Ok(Json(Owners { users: of_crate(&app, &name).await? }))
}

/// List the teams that own a crate
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/owner_team",
    tag = "owners",
    params(CratePath),
    responses((status = 200, body = OwnerTeams, description = "The teams"), (status = 404, body = Errors, description = "There is no such crate"))
)]
pub async fn teams(State(app): State<App>, ApiPath(name): ApiPath<String>) -> Result<Json<OwnerTeams>, ApiError> {
    of_crate(&app, &name).await?;
    Ok(Json(OwnerTeams { teams: Vec::new() }))
}

async fn of_crate(app: &App, name: &str) -> Result<Vec<OwnerView>, ApiError> {
    let name = crate_name(name)?;
    let users = app
        .with_connection(move |connection| {
            let krate = crates::find(connection, &name)?.ok_or_else(|| no_such_crate(name.as_str()))?;
            Ok::<_, ApiError>(owners::list(connection, krate.id)?)
        })
        .await?;
    Ok(users.into_iter().map(|user| OwnerView::user(user, &app.settings.base_url)).collect())
}
