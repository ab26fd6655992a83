//! `supercargo admin token`.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{Connection, PgConnection};
use serde_json::json;

use super::output::{print_json, print_table, say, time};
use super::{AdminError, users};
use crate::config::NewTokenOptions;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::new_token::{NewToken, PlainToken};
use crate::database::access::revocation;
use crate::database::access::tokens::{self, Token};
use crate::database::access::users::User;

/// Prints the token and nothing else.
pub fn create(
    connection: &mut PgConnection,
    operator: &Actor,
    login: &str,
    options: &NewTokenOptions,
) -> Result<(), AdminError> {
    let new = new_token(options)?;
    let token = connection.transaction(|connection| {
        let user = users::existing(connection, login)?;
        Ok::<_, AdminError>(create_for(connection, operator, &user, new)?.1)
    })?;
    say!("{}", token.reveal());
    Ok(())
}

/// Creates a token for a user, with its entry in the audit log.
pub(super) fn create_for(
    connection: &mut PgConnection,
    operator: &Actor,
    user: &User,
    new: NewToken,
) -> Result<(Token, PlainToken), AdminError> {
    let (token, plain) = new.create(connection, user.id)?;
    let mut detail = token.describe();
    detail["user"] = json!(user.login);
    Event::new(Action::TokenCreate).about(&token.name).detail(detail).record(connection, operator)?;
    Ok((token, plain))
}

fn new_token(options: &NewTokenOptions) -> Result<NewToken, AdminError> {
    let scopes: Vec<_> = options.scopes.iter().map(|scope| scope.parse()).collect::<Result<_, _>>()?;
    let patterns: Vec<_> = options.crates.iter().map(|pattern| pattern.parse()).collect::<Result<_, _>>()?;
    Ok(NewToken {
        name: options.name.clone(),
        scopes: Some(scopes).filter(|scopes| !scopes.is_empty()),
        crate_patterns: Some(patterns).filter(|patterns| !patterns.is_empty()),
        expires_at: options.expires_in.map(expiry).transpose()?,
    })
}

/// The time at which a token expires that is created now.
pub(super) fn expiry(after: std::time::Duration) -> Result<DateTime<Utc>, AdminError> {
    let delta = TimeDelta::from_std(after).ok();
    delta.and_then(|delta| Utc::now().checked_add_signed(delta)).ok_or(AdminError::TooFar)
}

pub fn list(connection: &mut PgConnection, login: Option<&str>, as_json: bool) -> Result<(), AdminError> {
    let user = login.map(|login| users::existing(connection, login)).transpose()?;
    let tokens = tokens::list(connection, user.map(|user| user.id))?;
    // Both tokens belong to one user, so the creating token is in the list.
    let states: HashMap<i32, &str> = tokens.iter().map(|(token, _)| (token.id, token.state().as_str())).collect();
    let creator_state = |token: &Token| token.created_by_token.and_then(|creator| states.get(&creator).copied());
    let texts = |values: Option<String>| values.unwrap_or_else(|| "all".to_owned());
    if as_json {
        let tokens: Vec<_> = tokens
            .iter()
            .map(|(token, login)| {
                json!({
                    "id": token.id, "user": login, "name": token.name, "state": token.state().as_str(),
                    "created_at": token.created_at, "last_used_at": token.last_used_at, "revoked_at": token.revoked_at,
                    "expires_at": token.end(),
                    "created_by_token": token.created_by_token, "created_by_token_state": creator_state(token),
                    "scopes": token.scopes.as_ref().map(|scopes| scopes.texts()),
                    "crates": token.crate_patterns.as_ref().map(|patterns| patterns.texts()),
                })
            })
            .collect();
        return Ok(print_json(&tokens)?);
    }
    print_table(
        ["ID", "USER", "NAME", "STATE", "CREATED WITH", "SCOPES", "CRATES", "CREATED", "LAST USED", "EXPIRES"],
        tokens.iter().map(|(token, login)| {
            let created_with = match (token.created_by_token, creator_state(token)) {
                (None, _) => "-".to_owned(),
                (Some(creator), None | Some("valid")) => creator.to_string(),
                (Some(creator), Some(state)) => format!("{creator} ({state})"),
            };
            let state = token.state().as_str().to_owned();
            let scopes = texts(token.scopes.as_ref().map(ToString::to_string));
            let crates = texts(token.crate_patterns.as_ref().map(ToString::to_string));
            let [created, used, expires] = [Some(token.created_at), token.last_used_at, token.end()].map(time);
            let (login, name) = (login.clone(), token.name.clone());
            [token.id.to_string(), login, name, state, created_with, scopes, crates, created, used, expires]
        }),
    );
    Ok(())
}

/// Revokes a token and, on request, the tokens that were created with it.
pub fn revoke(
    connection: &mut PgConnection,
    operator: &Actor,
    id: i32,
    with_descendants: bool,
) -> Result<(), AdminError> {
    let revoked = connection.transaction(|connection| {
        let revoke = if with_descendants { revocation::revoke_with_descendants } else { revocation::revoke };
        let revoked = revoke(connection, id, None)?.ok_or(AdminError::NoToken(id))?;
        revoked.record(connection, id, operator)?;
        Ok::<_, AdminError>(revoked)
    })?;
    let ids = |tokens: &[Token]| tokens.iter().map(|token| token.id.to_string()).collect::<Vec<_>>().join(", ");
    match &revoked.tokens[..] {
        [one] => say!("revoked the token {}", one.id),
        several => say!("revoked {} tokens: {}", several.len(), ids(several)),
    }
    if !revoked.valid_descendants.is_empty() {
        say!(
            "still valid, created with it: {}; revoke them too with `supercargo admin token revoke {id} --with-descendants`",
            ids(&revoked.valid_descendants)
        );
    }
    Ok(())
}
