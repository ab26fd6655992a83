//! `/api/v1/admin/teams` and `/api/v1/admin/teams/{team}`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::requests::{NamesQuery, administrators_json, narrowed, read};
use crate::database::access::teams::{self, Team};
use crate::jobs::team_changes::{self, Membership};
use crate::web::administration::{administer, bad};
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::views::{AnyError, PageMeta};
use crate::web::{ApiError, App};

/// The most members in one request.
const MAX_MEMBERS: usize = 200;

/// Describes a team in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct TeamPath {
    /// The name of the team in any case, also as `team:NAME`.
    #[param(example = "devs")]
    team: String,
}

/// A team to create. Unknown fields are rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTeamRequest {
    #[schema(example = "devs", max_length = 64)]
    name: String,
    /// The logins of its first members.
    #[schema(max_items = 200)]
    #[serde(default)]
    members: Vec<String>,
}

/// A team in a list.
#[derive(Serialize, ToSchema)]
pub struct ListedTeam {
    id: i32,
    name: String,
    /// The number of its members.
    members: i64,
    /// The number of its crates.
    crates: i64,
}

/// Teams by name.
#[derive(Serialize, ToSchema)]
pub struct TeamsAnswer {
    teams: Vec<ListedTeam>,
    meta: PageMeta,
}

/// A member of a team.
#[derive(Serialize, ToSchema)]
pub struct TeamMember {
    login: String,
    /// The issuer whose groups gave the membership, and take it; null if somebody added the user.
    issuer: Option<String>,
    /// Since when the user is disabled or removed; null for an active one.
    disabled_at: Option<DateTime<Utc>>,
}

/// A team with its members and crates.
#[derive(Serialize, ToSchema)]
pub struct TeamDetails {
    id: i32,
    name: String,
    /// By login.
    members: Vec<TeamMember>,
    /// The crates that it owns, by name.
    crates: Vec<String>,
}

/// A team with its members and crates.
#[derive(Serialize, ToSchema)]
pub struct TeamDetailsAnswer {
    team: TeamDetails,
}

fn answer(connection: &mut PgConnection, team: Team) -> Result<TeamDetailsAnswer, ApiError> {
    let members = teams::memberships(connection, team.id)?.into_iter();
    let crates = teams::crates_of(connection, team.id)?;
    let members = members.map(|(user, issuer)| TeamMember { login: user.login, issuer, disabled_at: user.disabled_at });
    Ok(TeamDetailsAnswer { team: TeamDetails { id: team.id, name: team.name, members: members.collect(), crates } })
}

/// List teams
#[utoipa::path(
    get,
    path = "/api/v1/admin/teams",
    tag = "admin",
    params(NamesQuery),
    security(("token" = ["administer"])),
    responses((status = 200, body = TeamsAnswer, description = "The teams"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    caller.sees_administration()?;
    let (part, pagination, page) = narrowed(&query)?;
    let (found, total) = read(&app, &caller, move |connection| Ok(teams::page(connection, &part, page)?)).await?;
    let listed =
        |(team, members, crates): (Team, i64, i64)| ListedTeam { id: team.id, name: team.name, members, crates };
    Ok(unstored(TeamsAnswer { teams: found.into_iter().map(listed).collect(), meta: pagination.meta(total, &query) }))
}

/// Create a team
///
/// It is created with its members, or not at all.
#[utoipa::path(
    post,
    path = "/api/v1/admin/teams",
    tag = "admin",
    security(("token" = ["administer"])),
    request_body = NewTeamRequest,
    responses((status = 200, body = TeamDetailsAnswer, description = "The team"), AnyError),
)]
pub async fn create(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let (caller, new): (_, NewTeamRequest) = administrators_json(&app, request).await?;
    if new.members.len() > MAX_MEMBERS {
        return Err(bad(format!(
            "`members` has {} logins: send at most {MAX_MEMBERS}, and add others",
            new.members.len()
        )));
    }
    let created = administer(&app, caller, move |connection, actor| {
        let team = team_changes::create(connection, &new.name, actor)?;
        for login in &new.members {
            team_changes::set_member(connection, (&team.name, login), Membership::Add, actor)?;
        }
        answer(connection, team)
    });
    Ok(unstored(created.await?))
}

/// Show a team with its members and crates
#[utoipa::path(
    get,
    path = "/api/v1/admin/teams/{team}",
    tag = "admin",
    params(TeamPath),
    security(("token" = ["administer"])),
    responses((status = 200, body = TeamDetailsAnswer, description = "The team"), AnyError),
)]
pub async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(name): ApiPath<String>,
) -> Result<Response, ApiError> {
    let found = read(&app, &caller, move |connection| {
        let team = team_changes::existing(connection, &name)?;
        answer(connection, team)
    });
    Ok(unstored(found.await?))
}

/// Delete a team
///
/// One that owns a crate, or that a rule of approvals names, is not deleted.
#[utoipa::path(
    delete,
    path = "/api/v1/admin/teams/{team}",
    tag = "admin",
    params(TeamPath),
    security(("token" = ["administer"])),
    responses((status = 204, description = "It is deleted, with its memberships and webhooks"), AnyError),
)]
pub async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(name): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    caller.administrator()?;
    administer(&app, caller, move |connection, actor| Ok(team_changes::delete(connection, &name, actor)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}
