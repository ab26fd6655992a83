//! `/api/v1/me` and `/api/v1/me/tokens`: the authenticated user and their tokens, in the shapes of crates.io.
//!
//! Changing tokens needs an unrestricted token, since a token that may create others has their rights as well.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::database::access::caller::Caller;
use crate::database::access::new_token::{NewToken, PlainToken};
use crate::database::access::revocation::Revoked;
use crate::database::access::tokens::Token;
use crate::database::access::users::User;
use crate::database::catalog::owners;
use crate::database::email::recipients::{self, Recipient};
use crate::package::CrateName;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::json::{callers_json, object};
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::views::{AnyError, user_url};
use crate::web::{ApiError, App, own_tokens};

const MAX_BODY: usize = 64 * 1024;

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
pub struct TokenView {
    pub id: i32,
    /// The name that its owner gave it.
    #[schema(example = "ci")]
    pub name: String,
    pub created_at: DateTime<Utc>,
    /// When it was last used, accurate to ten minutes.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it expires or expired; null: never.
    pub expired_at: Option<DateTime<Utc>>,
    /// The crates it is limited to, as names or as prefixes with `*`; null: no limit.
    pub crate_scopes: Option<Vec<String>>,
    /// The actions it is limited to; null: no limit.
    pub endpoint_scopes: Option<Vec<String>>,
    /// The id of the token that created it; null: an operator created it.
    pub created_by_token: Option<i32>,
}

/// The tokens of a user, without revoked ones.
#[derive(Serialize, ToSchema)]
pub struct TokenList {
    pub api_tokens: Vec<TokenView>,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
    pub api_token: TokenView,
}

/// A new token, with its secret.
#[derive(Serialize, ToSchema)]
pub struct MadeToken {
    #[serde(flatten)]
    pub view: TokenView,
    /// The secret. It is shown only here.
    pub token: String,
    pub revoked: bool,
}

#[derive(Serialize, ToSchema)]
pub struct TokenMade {
    pub api_token: MadeToken,
}

/// A request for a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    #[serde(deserialize_with = "object")]
    pub api_token: RequestedToken,
}

/// The token to create. Unknown fields are rejected: a misspelled restriction would create a token without it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedToken {
    /// The name of the token.
    pub name: String,
    /// The actions to limit it to: `publish-new`, `publish-update`, `yank`, `change-owners`, `stage-new`, `stage-update`, `approve`,
    /// `trusted-publishing`, `publish-docs`, `read`; null: no limit. Every token may read.
    #[serde(default)]
    pub endpoint_scopes: Option<Vec<String>>,
    /// The crates to limit it to, as names or as prefixes with `*`; null: no limit.
    #[serde(default)]
    pub crate_scopes: Option<Vec<String>>,
    /// When it expires; null: never.
    #[serde(default)]
    pub expired_at: Option<DateTime<Utc>>,
}

/// What to revoke besides the token.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct RevocationQuery {
    /// Also revoke every token that was created with this one, directly or not, even if this one was revoked before.
    #[param(default = false)]
    descendants: Option<bool>,
}

/// The tokens that were revoked.
#[derive(Serialize, ToSchema)]
pub struct Revocation {
    /// Their ids.
    pub revoked: Vec<i32>,
    /// The ids of tokens that were created with these and are still valid.
    pub valid_descendants: Vec<i32>,
}

/// The owner of a token.
#[derive(Serialize, ToSchema)]
pub struct Me {
    pub user: MyUser,
    /// The crates that the user owns, by name, without those of teams.
    pub owned_crates: Vec<OwnedCrate>,
}

/// The authenticated user.
#[derive(Serialize, ToSchema)]
pub struct MyUser {
    pub id: i32,
    pub login: String,
    /// Whether the user has confirmed the address; false for tokens with restrictions.
    pub email_verified: bool,
    /// Whether the user has an address; false for tokens with restrictions.
    pub email_verification_sent: bool,
    pub name: Option<String>,
    /// The address to which the registry sends mail; null without one, and for tokens with restrictions.
    pub email: Option<String>,
    /// Always null.
    pub avatar: Option<String>,
    /// The URL of the user in this API.
    pub url: String,
    /// Whether the user is an admin.
    pub is_admin: bool,
    /// Whether the user gets mail about published versions; false for tokens with restrictions.
    pub publish_notifications: bool,
    pub created_at: DateTime<Utc>,
}

/// A crate that a user owns.
#[derive(Serialize, ToSchema)]
pub struct OwnedCrate {
    pub id: i32,
    pub name: String,
    /// Always false.
    pub email_notifications: bool,
}

impl MyUser {
    fn new(user: User, mail: Option<Recipient>, base_url: &str) -> Self {
        let is_confirmed = mail.as_ref().is_some_and(|mail| mail.confirmed_at.is_some());
        Self {
            email_verified: is_confirmed,
            email_verification_sent: mail.is_some(),
            publish_notifications: is_confirmed && mail.as_ref().is_some_and(|mail| mail.wants("version")),
            email: mail.map(|mail| mail.address),
            id: user.id,
            url: user_url(base_url, &user.login),
            login: user.login,
            name: user.name,
            avatar: None,
            is_admin: user.is_admin,
            created_at: user.created_at,
        }
    }
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

impl TokenRequest {
    /// The token that is requested.
    pub fn wanted(self) -> Result<NewToken, ApiError> {
        let requested = self.api_token;
        Ok(NewToken {
            name: requested.name,
            scopes: parsed(requested.endpoint_scopes)?,
            crate_patterns: parsed(requested.crate_scopes)?,
            expires_at: requested.expired_at,
        })
    }
}

impl MadeToken {
    pub fn new(token: Token, secret: &PlainToken) -> Self {
        Self { view: token.into(), token: secret.reveal().to_owned(), revoked: false }
    }
}

impl From<Revoked> for Revocation {
    fn from(revoked: Revoked) -> Self {
        let ids = |tokens: Vec<Token>| -> Vec<i32> { tokens.into_iter().map(|token| token.id).collect() };
        Self { revoked: ids(revoked.tokens), valid_descendants: ids(revoked.valid_descendants) }
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    texts: Option<Vec<String>>,
) -> Result<Option<Vec<T>>, ApiError> {
    let parse =
        |text: String| text.parse().map_err(|error: T::Err| ApiError::new(StatusCode::BAD_REQUEST, error.to_string()));
    texts.map(|texts| texts.into_iter().map(parse).collect()).transpose()
}

/// Show the authenticated user
#[utoipa::path(
    get,
    path = "/api/v1/me",
    tag = "tokens",
    security(("token" = [])),
    responses((status = 200, description = "The user", body = Me), AnyError),
)]
pub async fn me(State(app): State<App>, Authenticated(caller): Authenticated) -> Result<Json<Me>, ApiError> {
    let is_unrestricted = caller.unrestricted().is_ok();
    let user = caller.user;
    let id = user.id;
    let read = app.with_connection(move |connection| {
        // Other tokens are given away: to CI systems, say.
        let mail = if is_unrestricted { recipients::find(connection, id)? } else { None };
        Ok::<_, ApiError>((owners::crates_of(connection, id)?, mail))
    });
    let (mut owned, mail) = read.await?;
    owned.sort_by(|(_, one), (_, other)| one.cmp(other));
    let owned_crate = |(id, name): (i32, CrateName)| OwnedCrate { id, name: name.into(), email_notifications: false };
    let owned_crates = owned.into_iter().map(owned_crate).collect();
    Ok(Json(Me { user: MyUser::new(user, mail, &app.settings.base_url), owned_crates }))
}

/// List the user's tokens
///
/// Expired tokens are included, revoked ones are not.
#[utoipa::path(
    get,
    path = "/api/v1/me/tokens",
    tag = "tokens",
    security(("token" = [])),
    responses((status = 200, description = "The tokens", body = TokenList), AnyError),
)]
pub async fn list(State(app): State<App>, Authenticated(caller): Authenticated) -> Result<Json<TokenList>, ApiError> {
    caller.unrestricted()?;
    let held = own_tokens::list(&app, &caller).await?;
    Ok(Json(TokenList { api_tokens: held.into_iter().map(TokenView::from).collect() }))
}

/// Show one of the user's tokens
///
/// Every token may show itself. Revoked ones are not shown.
#[utoipa::path(
    get,
    path = "/api/v1/me/tokens/{id}",
    tag = "tokens",
    params(("id" = i32, Path, description = "The token's id")),
    security(("token" = [])),
    responses((status = 200, description = "The token", body = TokenAnswer), AnyError),
)]
pub async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<TokenAnswer>, ApiError> {
    let number: Option<i32> = id.parse().ok();
    if number != Some(caller.token.id) {
        caller.unrestricted()?;
    }
    let mut held = own_tokens::list(&app, &caller).await?.into_iter();
    let found = held.find(|token| number == Some(token.id)).ok_or_else(|| own_tokens::no_token(&id))?;
    Ok(Json(TokenAnswer { api_token: found.into() }))
}

/// Create a token
///
/// The secret is in this response only: the registry stores its SHA-256.
#[utoipa::path(
    put,
    path = "/api/v1/me/tokens",
    tag = "tokens",
    security(("token" = [])),
    request_body = TokenRequest,
    responses((status = 200, description = "The token", body = TokenMade), AnyError),
)]
pub async fn create(State(app): State<App>, request: Request) -> Result<Json<TokenMade>, ApiError> {
    let (caller, requested): (_, TokenRequest) =
        callers_json(&app, request, MAX_BODY, |caller| Ok(caller.unrestricted()?)).await?;
    let (token, secret) = own_tokens::create(&app, caller, requested.wanted()?).await?;
    Ok(Json(TokenMade { api_token: MadeToken::new(token, &secret) }))
}

/// Revoke one of the user's tokens
///
/// It takes effect at once. With `descendants=true` the tokens that were created with it are revoked as well.
#[utoipa::path(
    delete,
    path = "/api/v1/me/tokens/{id}",
    tag = "tokens",
    params(("id" = i32, Path, description = "The token's id"), RevocationQuery),
    security(("token" = [])),
    responses((status = 200, description = "The token is revoked", body = Revocation), AnyError),
)]
pub async fn revoke(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(id): ApiPath<String>,
    query: QueryParameters,
) -> Result<Json<Revocation>, ApiError> {
    let with_descendants = query.flag("descendants")?.unwrap_or(false);
    Ok(Json(revoke_token(&app, caller, id, with_descendants).await?))
}

async fn revoke_token(app: &App, caller: Caller, id: String, with_descendants: bool) -> Result<Revocation, ApiError> {
    Ok(own_tokens::revoke(app, caller, id, with_descendants).await?.into())
}

/// Revoke the token that authenticates the request
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/current",
    tag = "tokens",
    security(("token" = [])),
    responses((status = 204, description = "The token is revoked"), AnyError),
)]
pub async fn revoke_current(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
) -> Result<StatusCode, ApiError> {
    let id = caller.token.id.to_string();
    revoke_token(&app, caller, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
