//! `GET` and `POST /api/v1/admin/users/{login}/tokens`, and `DELETE /api/v1/admin/tokens/{id}`: tokens of others.
//!
//! Tokens are created for service accounts alone. Nobody else gets to know the token of a person.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;

use super::requests::{administrators_json, read};
use super::users::LoginPath;
use crate::database::access::audit::{Action, Event};
use crate::database::access::revocation;
use crate::database::access::role::Role;
use crate::database::access::scope::Scope;
use crate::database::access::tokens;
use crate::web::administration::{self, administer, bad, conflict};
use crate::web::answers::unstored::unstored;
use crate::web::api::tokens::{MadeToken, Revocation, RevocationQuery, TokenList, TokenMade, TokenRequest, TokenView};
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::{ApiPath, as_in_a_url};
use crate::web::extract::query::QueryParameters;
use crate::web::shortened::shortened;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// List the tokens of a user
///
/// Expired tokens are included, revoked ones and those of sessions are not.
#[utoipa::path(
    get,
    path = "/api/v1/admin/users/{login}/tokens",
    tag = "admin",
    params(LoginPath),
    security(("token" = ["administer"])),
    responses((status = 200, body = TokenList, description = "The tokens, without their secrets"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(login): ApiPath<String>,
) -> Result<Response, ApiError> {
    let found = read(&app, &caller, move |connection| {
        let user = administration::user(connection, &login)?;
        Ok(tokens::list(connection, Some(user.id))?)
    });
    let held = found.await?.into_iter().map(|(token, _)| token).filter(|token| token.revoked_at.is_none());
    Ok(unstored(TokenList { api_tokens: held.map(TokenView::from).collect() }))
}

/// Create a token for a service account
///
/// The secret is in this response only. People create their tokens themselves.
#[utoipa::path(
    post,
    path = "/api/v1/admin/users/{login}/tokens",
    tag = "admin",
    params(LoginPath),
    security(("token" = ["administer"])),
    request_body = TokenRequest,
    responses((status = 200, body = TokenMade, description = "The token"), AnyError),
)]
pub async fn create(
    State(app): State<App>,
    ApiPath(login): ApiPath<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, requested): (_, TokenRequest) = administrators_json(&app, request).await?;
    let wanted = requested.wanted()?;
    if wanted.scopes.as_ref().is_some_and(|scopes| scopes.contains(&Scope::Administer)) {
        return Err(bad(format!(
            "a service account is no admin, so its token cannot have the scope {}",
            Scope::Administer
        )));
    }
    let maker = caller.token.id;
    let created = administer(&app, caller, move |connection, actor| {
        let user = administration::user(connection, &login)?;
        user.check_active()?;
        if user.role != Role::Service {
            return Err(conflict(format!(
                "`{}` is no service account: people create their tokens themselves, on /me/tokens/new. Change the role to `{}`, or \
                 create a sign-in link",
                user.login,
                Role::Service
            )));
        }
        let (token, plain) = wanted.create_by(connection, (user.id, maker))?;
        let mut detail = token.describe();
        detail["user"] = json!(user.login);
        Event::new(Action::TokenCreate).about(&token.name).detail(detail).record(connection, actor)?;
        Ok((token, plain))
    });
    let (token, secret) = created.await?;
    tracing::info!(new_token_id = token.id, "created a token for a service account");
    Ok(unstored(TokenMade { api_token: MadeToken::new(token, &secret) }))
}

/// Revoke a token of any user
///
/// It takes effect at once. With `descendants=true` the tokens that were created with it are revoked as well.
#[utoipa::path(
    delete,
    path = "/api/v1/admin/tokens/{id}",
    tag = "admin",
    params(("id" = i32, Path, description = "The token's id"), RevocationQuery),
    security(("token" = ["administer"])),
    responses((status = 200, body = Revocation, description = "The token is revoked"), AnyError),
)]
pub async fn revoke(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(id): ApiPath<String>,
    query: QueryParameters,
) -> Result<Json<Revocation>, ApiError> {
    caller.administrator()?;
    let with_descendants = query.flag("descendants")?.unwrap_or(false);
    let missing = ApiError::not_found(format!(
        "there is no token {}, or it was revoked before: see the list of the user's tokens",
        shortened(&as_in_a_url(&id))
    ));
    let Some(number) = id.parse::<i32>().ok().filter(|number| number.to_string() == id) else { return Err(missing) };
    let revoked = administer(&app, caller, move |connection, actor| {
        let revoke = if with_descendants { revocation::revoke_with_descendants } else { revocation::revoke };
        let revoked = revoke(connection, number, None)?.ok_or(missing)?;
        revoked.record(connection, number, actor)?;
        Ok(revoked)
    });
    Ok(Json(revoked.await?.into()))
}
