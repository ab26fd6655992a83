//! What users do with their own tokens, by the API and on pages.

use diesel::Connection;

use super::{ApiError, App};
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::Caller;
use crate::database::access::new_token::{NewToken, PlainToken};
use crate::database::access::revocation::{self, Revoked};
use crate::database::access::tokens::{self, Token};
use crate::package::characters::plain;
use crate::web::shortened::shortened;

/// Creates a token for the caller.
pub async fn create(app: &App, caller: Caller, wanted: NewToken) -> Result<(Token, PlainToken), ApiError> {
    caller.may_make_token_until(wanted.expires_at)?;
    caller.may_make_scopes(wanted.scopes.as_deref())?;
    let created = app.with_connection(move |connection| {
        connection.transaction(|connection| {
            let caller = caller.confirm_alone(connection)??;
            caller.may_make_token_until(wanted.expires_at)?;
            caller.may_make_scopes(wanted.scopes.as_deref())?;
            let (token, plain) = wanted.create_by(connection, (caller.user.id, caller.token.id))?;
            let event = Event::new(Action::TokenCreate).about(&token.name).detail(token.describe());
            event.record(connection, &caller.actor())?;
            caller.connection.check()?;
            Ok::<_, ApiError>((token, plain))
        })
    });
    let (token, secret) = created.await?;
    tracing::info!(new_token = &*plain(&token.name), new_token_id = token.id, "created a token");
    Ok((token, secret))
}

/// The caller's tokens that are not revoked, the oldest first.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<Token>, ApiError> {
    let user = caller.user.id;
    let tokens = app.with_connection(move |connection| tokens::list(connection, Some(user))).await?;
    Ok(tokens.into_iter().map(|(token, _)| token).filter(|token| token.revoked_at.is_none()).collect())
}

/// Revokes a token of the caller and, if asked for, those that were created with it. Every token may revoke itself.
pub async fn revoke(app: &App, caller: Caller, id: String, with_descendants: bool) -> Result<Revoked, ApiError> {
    let number: Option<i32> = id.parse().ok();
    if number != Some(caller.token.id) {
        caller.unrestricted()?;
    }
    let missing = move || no_token(&id);
    let Some(number) = number else { return Err(missing()) };
    let revoked = app
        .with_connection(move |connection| {
            connection.transaction(|connection| {
                let caller = caller.confirm_alone(connection)??;
                if number != caller.token.id {
                    caller.unrestricted()?;
                }
                let revoke = if with_descendants { revocation::revoke_with_descendants } else { revocation::revoke };
                let revoked = revoke(connection, number, Some(caller.user.id))?.ok_or_else(missing)?;
                revoked.record(connection, number, &caller.actor())?;
                Ok::<_, ApiError>(revoked)
            })
        })
        .await?;
    let listed: Vec<_> = revoked.tokens.iter().map(|token| token.id.to_string()).collect();
    tracing::info!(revoked = listed.join(", "), "revoked tokens");
    Ok(revoked)
}

pub fn no_token(id: &str) -> ApiError {
    ApiError::not_found(format!("you have no token {}", shortened(id)))
}
