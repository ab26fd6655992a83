//! `supercargo admin token`.

use chrono::{TimeDelta, Utc};
use diesel::{Connection, PgConnection};
use serde_json::json;

use super::output::{print_json, print_table, say, time};
use super::{AdminError, users};
use crate::config::NewTokenOptions;
use crate::database::audit::{Action, Actor, Event};
use crate::database::tokens::{self, NewToken};

/// Prints the token and nothing else.
pub fn create(
    connection: &mut PgConnection,
    operator: &Actor,
    login: &str,
    options: &NewTokenOptions,
) -> Result<(), AdminError> {
    let wanted = wanted(options)?;
    let token = connection.transaction(|connection| {
        let user = users::existing(connection, login)?;
        let (token, plain) = wanted.create(connection, user.id)?;
        let mut detail = token.describe();
        detail["user"] = json!(user.login);
        Event::new(Action::TokenCreate).about(&token.name).detail(detail).record(connection, operator)?;
        Ok::<_, AdminError>(plain)
    })?;
    say!("{}", token.reveal());
    Ok(())
}

fn wanted(options: &NewTokenOptions) -> Result<NewToken, AdminError> {
    let scopes: Vec<_> = options.scopes.iter().map(|scope| scope.parse()).collect::<Result<_, _>>()?;
    let patterns: Vec<_> = options.crates.iter().map(|pattern| pattern.parse()).collect::<Result<_, _>>()?;
    let end = |duration| {
        let delta = TimeDelta::from_std(duration).ok();
        delta.and_then(|delta| Utc::now().checked_add_signed(delta)).ok_or(AdminError::TooFar)
    };
    Ok(NewToken {
        name: options.name.clone(),
        scopes: Some(scopes).filter(|scopes| !scopes.is_empty()),
        crate_patterns: Some(patterns).filter(|patterns| !patterns.is_empty()),
        expires_at: options.expires_in.map(end).transpose()?,
    })
}

pub fn list(connection: &mut PgConnection, login: Option<&str>, as_json: bool) -> Result<(), AdminError> {
    let user = login.map(|login| users::existing(connection, login)).transpose()?;
    let tokens = tokens::list(connection, user.map(|user| user.id))?;
    let texts = |values: Option<String>| values.unwrap_or_else(|| "all".to_owned());
    if as_json {
        let tokens: Vec<_> = tokens
            .iter()
            .map(|(token, login)| {
                json!({
                    "id": token.id, "user": login, "name": token.name, "state": token.state().as_str(),
                    "created_at": token.created_at, "last_used_at": token.last_used_at, "revoked_at": token.revoked_at,
                    "expires_at": token.expires_at,
                    "scopes": token.scopes.as_ref().map(|scopes| scopes.texts()),
                    "crates": token.crate_patterns.as_ref().map(|patterns| patterns.texts()),
                })
            })
            .collect();
        return Ok(print_json(&tokens)?);
    }
    print_table(
        ["ID", "USER", "NAME", "STATE", "SCOPES", "CRATES", "CREATED", "LAST USED", "EXPIRES"],
        tokens.into_iter().map(|(token, login)| {
            let state = token.state().as_str().to_owned();
            let scopes = texts(token.scopes.as_ref().map(ToString::to_string));
            let crates = texts(token.crate_patterns.as_ref().map(ToString::to_string));
            let [created, used, expires] = [Some(token.created_at), token.last_used_at, token.expires_at].map(time);
            [token.id.to_string(), login, token.name, state, scopes, crates, created, used, expires]
        }),
    );
    Ok(())
}

pub fn revoke(connection: &mut PgConnection, operator: &Actor, id: i32) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        let revoked = tokens::revoke(connection, id, None)?.ok_or(AdminError::NoToken(id))?;
        let event = Event::new(Action::TokenRevoke).about(&revoked.name).detail(revoked.describe());
        event.record(connection, operator)?;
        Ok::<_, AdminError>(())
    })?;
    say!("revoked the token {id}");
    Ok(())
}
