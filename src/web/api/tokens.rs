//! `/api/v1/me` and `/api/v1/me/tokens`: what a user sees and does with the own tokens, under crates.io's names.
//!
//! Changing tokens needs one without restrictions, since whoever may make tokens may do all that they can.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use diesel::Connection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{AnyError, ApiPath, ApiQuery, callers_json};
use crate::database::access::audit::{Action, Event};
use crate::database::access::tokens::{self, NewToken, Token};
use crate::web::extract::auth::Authenticated;
use crate::web::{ApiError, App};

const MAX_BODY: usize = 64 * 1024;

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
pub struct TokenView {
    pub id: i32,
    /// What its owner calls it.
    #[schema(example = "ci")]
    pub name: String,
    pub created_at: DateTime<Utc>,
    /// When it was used last, to ten minutes.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it ends or ended; null: never.
    pub expired_at: Option<DateTime<Utc>>,
    /// The crates it is good for, as names or as beginnings of names with `*`; null: all.
    pub crate_scopes: Option<Vec<String>>,
    /// What it is good for; null: everything.
    pub endpoint_scopes: Option<Vec<String>>,
    /// Number of the token that made it; null: an operator made it.
    pub created_by_token: Option<i32>,
}

/// The tokens of a user that were not revoked.
#[derive(Serialize, ToSchema)]
pub struct TokenList {
    pub api_tokens: Vec<TokenView>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
pub struct MadeToken {
    #[serde(flatten)]
    pub view: TokenView,
    /// The token itself, shown this once.
    pub token: String,
    pub revoked: bool,
}

#[derive(Serialize, ToSchema)]
pub struct TokenMade {
    pub api_token: MadeToken,
}

/// A token that is wanted.
#[derive(Deserialize, ToSchema)]
pub struct TokenRequest {
    pub api_token: WantedToken,
}

/// An unknown field is refused: a restriction under another name would make a token without one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedToken {
    /// What to call it.
    pub name: String,
    /// `publish-new`, `publish-update`, `yank`, `change-owners`, `read`; null for everything. Every token may read.
    #[serde(default)]
    pub endpoint_scopes: Option<Vec<String>>,
    /// Names of crates, or beginnings of names with `*`; null for all crates.
    #[serde(default)]
    pub crate_scopes: Option<Vec<String>>,
    /// When it is to end; null for never.
    #[serde(default)]
    pub expired_at: Option<DateTime<Utc>>,
}

/// What to revoke besides the token.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RevocationQuery {
    /// Also revoke what was made with the token, directly or not, even if the token itself was revoked before.
    #[serde(default)]
    #[param(default = false)]
    pub descendants: bool,
}

/// Which tokens were revoked.
#[derive(Serialize, ToSchema)]
pub struct Revocation {
    /// Their numbers.
    pub revoked: Vec<i32>,
    /// Numbers of tokens that were made with these and are still valid.
    pub valid_descendants: Vec<i32>,
}

/// Who a token belongs to.
#[derive(Serialize, ToSchema)]
pub struct Me {
    pub user: MyUser,
}

#[derive(Serialize, ToSchema)]
pub struct MyUser {
    pub id: i32,
    pub login: String,
    pub name: Option<String>,
    /// Whether the user may do by the API what an operator may.
    pub is_admin: bool,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        let expired_at = token.end();
        Self {
            id: token.id,
            name: token.name,
            created_at: token.created_at,
            last_used_at: token.last_used_at,
            expired_at,
            crate_scopes: token.crate_patterns.map(|patterns| patterns.texts()),
            endpoint_scopes: token.scopes.map(|scopes| scopes.texts()),
            created_by_token: token.created_by_token,
        }
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    texts: Option<Vec<String>>,
) -> Result<Option<Vec<T>>, ApiError> {
    let parse =
        |text: String| text.parse().map_err(|error: T::Err| ApiError::new(StatusCode::BAD_REQUEST, error.to_string()));
    texts.map(|texts| texts.into_iter().map(parse).collect()).transpose()
}

/// Says whose token it is.
#[utoipa::path(
    get,
    path = "/api/v1/me",
    tag = "tokens",
    security(("token" = [])),
    responses((status = 200, description = "The user", body = Me), AnyError),
)]
pub async fn me(Authenticated(caller): Authenticated) -> Json<Me> {
    let user = caller.user;
    Json(Me { user: MyUser { id: user.id, login: user.login, name: user.name, is_admin: user.is_admin } })
}

/// Lists the user's tokens that were not revoked, expired ones included.
#[utoipa::path(
    get,
    path = "/api/v1/me/tokens",
    tag = "tokens",
    security(("token" = [])),
    responses((status = 200, description = "The tokens", body = TokenList), AnyError),
)]
pub async fn list(State(app): State<App>, Authenticated(caller): Authenticated) -> Result<Json<TokenList>, ApiError> {
    caller.unrestricted()?;
    let tokens = app.with_connection(move |connection| tokens::list(connection, Some(caller.user.id))).await?;
    let held = tokens.into_iter().map(|(token, _)| token).filter(|token| token.revoked_at.is_none());
    Ok(Json(TokenList { api_tokens: held.map(TokenView::from).collect() }))
}

/// Makes a token. It is shown this once: only its SHA-256 is kept.
#[utoipa::path(
    put,
    path = "/api/v1/me/tokens",
    tag = "tokens",
    security(("token" = [])),
    request_body = TokenRequest,
    responses((status = 200, description = "The token", body = TokenMade), AnyError),
)]
pub async fn create(State(app): State<App>, request: Request) -> Result<Json<TokenMade>, ApiError> {
    let (caller, wanted): (_, TokenRequest) =
        callers_json(&app, request, MAX_BODY, |caller| Ok(caller.unrestricted()?)).await?;
    let wanted = wanted.api_token;
    caller.may_make_token_until(wanted.expired_at)?;
    let wanted = NewToken {
        name: wanted.name,
        scopes: parsed(wanted.endpoint_scopes)?,
        crate_patterns: parsed(wanted.crate_scopes)?,
        expires_at: wanted.expired_at,
    };
    let (token, plain) = app
        .with_connection(move |connection| {
            connection.transaction(|connection| {
                let caller = caller.confirm_alone(connection)??;
                caller.may_make_token_until(wanted.expires_at)?;
                let (token, plain) = wanted.create_by(connection, &caller)?;
                let event = Event::new(Action::TokenCreate).about(&token.name).detail(token.describe());
                event.record(connection, &caller.actor())?;
                caller.waits()?;
                Ok::<_, ApiError>((token, plain))
            })
        })
        .await?;
    let made = MadeToken { view: token.into(), token: plain.reveal().to_owned(), revoked: false };
    Ok(Json(TokenMade { api_token: made }))
}

/// Revokes one of the user's tokens at once, and with it those that were made with it, if that is wanted.
#[utoipa::path(
    delete,
    path = "/api/v1/me/tokens/{id}",
    tag = "tokens",
    params(("id" = i32, Path, description = "Number of the token"), RevocationQuery),
    security(("token" = [])),
    responses((status = 200, description = "It is revoked", body = Revocation), AnyError),
)]
pub async fn revoke(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<RevocationQuery>,
) -> Result<Json<Revocation>, ApiError> {
    let number: Option<i32> = id.parse().ok();
    // A token may always revoke itself.
    if number != Some(caller.token.id) {
        caller.unrestricted()?;
    }
    let missing = move || ApiError::not_found(format!("you have no token {}", super::shortened(&id)));
    let Some(number) = number else { return Err(missing()) };
    let revoked = app
        .with_connection(move |connection| {
            connection.transaction(|connection| {
                let caller = caller.confirm_alone(connection)??;
                if number != caller.token.id {
                    caller.unrestricted()?;
                }
                let revoke = if query.descendants { tokens::revoke_with_descendants } else { tokens::revoke };
                let revoked = revoke(connection, number, Some(caller.user.id))?.ok_or_else(missing)?;
                revoked.record(connection, number, &caller.actor())?;
                Ok::<_, ApiError>(revoked)
            })
        })
        .await?;
    let ids = |tokens: Vec<Token>| tokens.into_iter().map(|token| token.id).collect();
    Ok(Json(Revocation { revoked: ids(revoked.tokens), valid_descendants: ids(revoked.valid_descendants) }))
}

/// Ends the token that the request carries.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/current",
    tag = "tokens",
    security(("token" = [])),
    responses((status = 204, description = "It is revoked"), AnyError),
)]
pub async fn revoke_current(state: State<App>, Authenticated(caller): Authenticated) -> Result<StatusCode, ApiError> {
    let id = caller.token.id.to_string();
    let query = ApiQuery(RevocationQuery { descendants: false });
    revoke(state, Authenticated(caller), ApiPath(id), query).await.map(|_| StatusCode::NO_CONTENT)
}
