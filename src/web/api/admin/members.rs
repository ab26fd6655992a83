//! `PUT` and `DELETE /api/v1/admin/teams/{team}/members/{login}`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::database::access::caller::Caller;
use crate::jobs::team_changes::{self, Membership, TeamError};
use crate::web::administration::administer;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::ApiPath;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// Describes a member in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct MemberPath {
    /// The name of the team in any case, also as `team:NAME`.
    #[param(example = "devs")]
    team: String,
    /// The login, in any case.
    #[param(example = "ann")]
    login: String,
}

/// Whether a membership was changed.
#[derive(Serialize, ToSchema)]
pub struct MembershipChange {
    /// False if the user was a member before, or was none.
    changed: bool,
}

/// Add a user to a team
#[utoipa::path(
    put,
    path = "/api/v1/admin/teams/{team}/members/{login}",
    tag = "admin",
    params(MemberPath),
    security(("token" = ["administer"])),
    responses((status = 200, body = MembershipChange, description = "The user is a member"), AnyError),
)]
pub async fn add(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(named): ApiPath<(String, String)>,
) -> Result<Json<MembershipChange>, ApiError> {
    set(&app, caller, named, Membership::Add).await
}

/// Remove a user from a team
#[utoipa::path(
    delete,
    path = "/api/v1/admin/teams/{team}/members/{login}",
    tag = "admin",
    params(MemberPath),
    security(("token" = ["administer"])),
    responses((status = 200, body = MembershipChange, description = "The user is no member"), AnyError),
)]
pub async fn remove(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(named): ApiPath<(String, String)>,
) -> Result<Json<MembershipChange>, ApiError> {
    set(&app, caller, named, Membership::Remove).await
}

/// A repeated request finds what it asks for, and succeeds.
async fn set(
    app: &App,
    caller: Caller,
    (team, login): (String, String),
    membership: Membership,
) -> Result<Json<MembershipChange>, ApiError> {
    caller.administrator()?;
    let changed = administer(app, caller, move |connection, actor| {
        match team_changes::set_member(connection, (&team, &login), membership, actor) {
            Ok(done) => Ok(done.changed),
            Err(TeamError::NoMember { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    });
    Ok(Json(MembershipChange { changed: changed.await? }))
}
