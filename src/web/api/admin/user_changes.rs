//! `POST /api/v1/admin/users`, and `PATCH` and `DELETE /api/v1/admin/users/{login}`: users who come, change and leave.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use diesel::PgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::requests::administrators_json;
use super::users::{LoginPath, UserDetailsAnswer, answer};
use crate::database::access::administrator::Administrator;
use crate::database::access::audit::Actor;
use crate::database::access::tokens::Token;
use crate::database::access::users::User;
use crate::database::catalog::user_changes::{self, Rank, UnknownRank};
use crate::jobs::leaving;
use crate::jobs::team_changes::{self, Membership};
use crate::web::administration::{administer, bad, other_user};
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// A user to create. Unknown fields are rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserRequest {
    #[schema(example = "ann", max_length = 64)]
    login: String,
    /// `admin`, `member` (the default), `auditor`, `read-only` or `service`.
    #[serde(default)]
    #[schema(example = "member")]
    role: Option<String>,
    /// Teams that the user joins, which exist.
    #[serde(default)]
    teams: Vec<String>,
}

/// Changes of a user; what is absent or null stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserUpdate {
    /// `admin`, `member`, `auditor`, `read-only` or `service`. A service account loses every way to sign in.
    #[serde(default)]
    #[schema(example = "auditor")]
    role: Option<String>,
    /// Whether sessions and tokens of the user are refused. A removed user becomes active again with `false`.
    #[serde(default)]
    disabled: Option<bool>,
}

/// Who becomes an owner of the user's crates.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct RemovalQuery {
    /// A login, or a team as `team:NAME`; may be repeated.
    to: Option<Vec<String>>,
}

/// What a removed user had.
#[derive(Serialize, ToSchema)]
pub struct UserRemoval {
    /// False if the user was removed before.
    changed: bool,
    /// The ids of the tokens that are revoked.
    revoked_tokens: Vec<i32>,
    /// The teams that the user was a member of.
    teams: Vec<String>,
    /// The crates that the user owned.
    crates: Vec<String>,
}

fn rank(text: &str) -> Result<Rank, ApiError> {
    text.parse().map_err(|unknown: UnknownRank| bad(unknown.to_string()))
}

/// Create a user
///
/// The user is created with role and teams, or not at all. Nobody can sign in as the user yet: create a sign-in link, or a token
/// for a service account.
#[utoipa::path(
    post,
    path = "/api/v1/admin/users",
    tag = "admin",
    security(("token" = ["administer"])),
    request_body = NewUserRequest,
    responses((status = 200, body = UserDetailsAnswer, description = "The user"), AnyError),
)]
pub async fn create(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let (caller, new): (_, NewUserRequest) = administrators_json(&app, request).await?;
    let rank = new.role.as_deref().map(rank).transpose()?;
    let created = administer(&app, caller, move |connection, actor| {
        let user = user_changes::create(connection, &new.login, actor)?;
        if let Some(rank) = rank {
            user_changes::set_rank(connection, &user, rank, actor)?;
        }
        for team in &new.teams {
            team_changes::set_member(connection, (team, &user.login), Membership::Add, actor)?;
        }
        answer(connection, &user.login)
    });
    Ok(unstored(created.await?))
}

/// Change a user
///
/// Nobody changes their own user.
#[utoipa::path(
    patch,
    path = "/api/v1/admin/users/{login}",
    tag = "admin",
    params(LoginPath),
    security(("token" = ["administer"])),
    request_body = UserUpdate,
    responses((status = 200, body = UserDetailsAnswer, description = "The user as it is now"), AnyError),
)]
pub async fn update(
    State(app): State<App>,
    ApiPath(login): ApiPath<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, wanted): (_, UserUpdate) = administrators_json(&app, request).await?;
    let rank = wanted.role.as_deref().map(rank).transpose()?;
    if rank.is_none() && wanted.disabled.is_none() {
        return Err(bad("nothing is to be changed: send `role`, `disabled` or both".to_owned()));
    }
    let own = caller.user.id;
    let changed = administer(&app, caller, move |connection, actor| {
        let mut user = other_user(connection, &login, own)?;
        if wanted.disabled == Some(false) {
            user_changes::enable(connection, &user, actor)?;
            user = other_user(connection, &login, own)?;
        }
        change(connection, &user, (rank, wanted.disabled == Some(true)), actor)?;
        answer(connection, &user.login)
    });
    Ok(unstored(changed.await?))
}

fn change(
    connection: &mut PgConnection,
    user: &User,
    (rank, is_disabled): (Option<Rank>, bool),
    actor: &Actor,
) -> Result<(), ApiError> {
    if let Some(rank) = rank {
        user_changes::set_rank(connection, user, rank, actor)?;
    }
    if is_disabled {
        let user = other_user(connection, &user.login, 0)?;
        user_changes::disable(connection, &user, actor)?;
    }
    Ok(())
}

/// Remove a user who leaves
///
/// Revokes all tokens and sessions, and takes the user out of owners, teams and admins. The login stays taken. Crates that no other
/// active user owns need new owners.
#[utoipa::path(
    delete,
    path = "/api/v1/admin/users/{login}",
    tag = "admin",
    params(LoginPath, RemovalQuery),
    security(("token" = ["administer"])),
    responses((status = 200, body = UserRemoval, description = "The user is removed"), AnyError),
)]
pub async fn remove(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(login): ApiPath<String>,
    query: QueryParameters,
) -> Result<Json<UserRemoval>, ApiError> {
    caller.administrator()?;
    query.refuse_others(&["to"])?;
    let named = query.texts("to");
    let removed = app.with_connection(move |connection| {
        let user = other_user(connection, &login, caller.user.id)?;
        let successors = leaving::successors(connection, &named)?;
        Ok::<_, ApiError>(leaving::remove(connection, &user, &successors, Administrator::Admin(&caller))?)
    });
    let removed = removed.await?;
    let changed = removed.is_some();
    let had = removed.unwrap_or_default();
    Ok(Json(UserRemoval {
        changed,
        revoked_tokens: had.tokens.iter().map(|token: &Token| token.id).collect(),
        teams: had.teams,
        crates: had.crates.into_iter().map(String::from).collect(),
    }))
}
