//! `GET /api/v1/admin/users` and `GET /api/v1/admin/users/{login}`: users, with all that an admin knows of them.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::requests::{NamesQuery, narrowed, read};
use crate::database::access::users::{self, User};
use crate::database::access::{sessions, teams, tokens};
use crate::database::catalog::owners;
use crate::database::catalog::user_changes::ADMIN;
use crate::database::sign_in::{identities, links, passwords};
use crate::web::administration;
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::views::{AnyError, PageMeta};
use crate::web::{ApiError, App};

/// Describes a user in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct LoginPath {
    /// The login, in any case.
    #[param(example = "ann")]
    login: String,
}

/// A user, as admins see one.
#[derive(Serialize, ToSchema)]
pub struct AdministeredUser {
    id: i32,
    login: String,
    name: Option<String>,
    /// `admin`, `member`, `auditor`, `read-only`, `service` or, of trusted publishers, `machine`.
    role: String,
    /// `active`, `disabled` or `removed`.
    state: String,
    created_at: DateTime<Utc>,
    disabled_at: Option<DateTime<Utc>>,
    removed_at: Option<DateTime<Utc>>,
}

/// An account of a user at an identity provider.
#[derive(Serialize, ToSchema)]
pub struct UsersIdentity {
    issuer: String,
    /// The name of the account there.
    label: String,
    last_used_at: DateTime<Utc>,
}

/// What a user has.
#[derive(Serialize, ToSchema)]
pub struct UserDetails {
    #[serde(flatten)]
    user: AdministeredUser,
    /// The teams of the user, by name.
    teams: Vec<String>,
    /// The crates that the user owns, by name, without those of teams.
    crates: Vec<String>,
    /// Those of them that no other active user owns.
    only_owner_of: Vec<String>,
    /// The accounts with which the user signs in.
    identities: Vec<UsersIdentity>,
    /// Since when the user has the present password; null without one.
    password_set_at: Option<DateTime<Utc>>,
    /// Until when a sign-in link of the user is valid; null without one.
    sign_in_link_until: Option<DateTime<Utc>>,
    /// The number of sessions on the pages.
    sessions: usize,
    /// The number of valid tokens.
    valid_tokens: i64,
}

/// Users, people before machines, by login.
#[derive(Serialize, ToSchema)]
pub struct AdministeredUsers {
    users: Vec<AdministeredUser>,
    meta: PageMeta,
}

/// A user with what the user has.
#[derive(Serialize, ToSchema)]
pub struct UserDetailsAnswer {
    user: UserDetails,
}

impl From<User> for AdministeredUser {
    fn from(user: User) -> Self {
        let role = match (user.is_machine, user.is_admin) {
            (true, _) => "machine",
            (false, true) => ADMIN,
            (false, false) => user.role.as_str(),
        };
        Self {
            role: role.to_owned(),
            state: user.state().as_str().to_owned(),
            id: user.id,
            login: user.login,
            name: user.name,
            created_at: user.created_at,
            disabled_at: user.disabled_at,
            removed_at: user.removed_at,
        }
    }
}

/// What a user has, at this moment.
pub(super) fn details(connection: &mut PgConnection, user: User) -> Result<UserDetails, ApiError> {
    let id = user.id;
    let names = |crates: Vec<crate::package::CrateName>| crates.into_iter().map(String::from).collect();
    let mut crates: Vec<_> = owners::crates_of(connection, id)?.into_iter().map(|(_, name)| name).collect();
    crates.sort();
    let identities = identities::of_user(connection, id)?.into_iter();
    Ok(UserDetails {
        user: user.into(),
        teams: teams::of_user(connection, id)?.into_iter().map(|team| team.name).collect(),
        crates: names(crates),
        only_owner_of: names(owners::crates_of_alone(connection, id)?),
        identities: identities
            .map(|found| UsersIdentity { issuer: found.issuer, label: found.label, last_used_at: found.last_used_at })
            .collect(),
        password_set_at: passwords::set_at(connection, id)?,
        sign_in_link_until: links::end_of(connection, id)?,
        sessions: sessions::of_user(connection, id)?.len(),
        valid_tokens: tokens::count_valid(connection, id)?,
    })
}

/// The answer about a user as it is after a change.
pub(super) fn answer(connection: &mut PgConnection, login: &str) -> Result<UserDetailsAnswer, ApiError> {
    let user = administration::user(connection, login)?;
    Ok(UserDetailsAnswer { user: details(connection, user)? })
}

/// List users
///
/// All of them, also those who were disabled or removed, and the machine users of trusted publishers.
#[utoipa::path(
    get,
    path = "/api/v1/admin/users",
    tag = "admin",
    params(NamesQuery),
    security(("token" = ["administer"])),
    responses((status = 200, body = AdministeredUsers, description = "The users"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    caller.sees_administration()?;
    let (part, pagination, page) = narrowed(&query)?;
    let (found, total) = read(&app, &caller, move |connection| Ok(users::page(connection, &part, page)?)).await?;
    let users = found.into_iter().map(AdministeredUser::from).collect();
    Ok(unstored(AdministeredUsers { users, meta: pagination.meta(total, &query) }))
}

/// Show a user with all that the user has
#[utoipa::path(
    get,
    path = "/api/v1/admin/users/{login}",
    tag = "admin",
    params(LoginPath),
    security(("token" = ["administer"])),
    responses((status = 200, body = UserDetailsAnswer, description = "The user"), AnyError),
)]
pub async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(login): ApiPath<String>,
) -> Result<Response, ApiError> {
    Ok(unstored(read(&app, &caller, move |connection| answer(connection, &login)).await?))
}
