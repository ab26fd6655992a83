//! `supercargo admin token`.

use diesel::PgConnection;
use serde_json::json;

use super::output::{print_json, print_table, time};
use super::{AdminError, users};
use crate::database::tokens;

/// Prints the token and nothing else.
pub fn create(connection: &mut PgConnection, login: &str, name: &str) -> Result<(), AdminError> {
    let user = users::existing(connection, login)?;
    let (_, token) = tokens::create(connection, user.id, name)?;
    println!("{}", token.reveal());
    Ok(())
}

pub fn list(connection: &mut PgConnection, login: Option<&str>, as_json: bool) -> Result<(), AdminError> {
    let user = login.map(|login| users::existing(connection, login)).transpose()?;
    let tokens = tokens::list(connection, user.map(|user| user.id))?;
    if as_json {
        let tokens: Vec<_> = tokens
            .iter()
            .map(|(token, login)| {
                json!({
                    "id": token.id, "user": login, "name": token.name, "created_at": token.created_at,
                    "last_used_at": token.last_used_at, "revoked_at": token.revoked_at,
                })
            })
            .collect();
        return print_json(&tokens);
    }
    print_table(
        ["ID", "USER", "NAME", "CREATED", "LAST USED", "REVOKED"],
        tokens.into_iter().map(|(token, login)| {
            let times = [Some(token.created_at), token.last_used_at, token.revoked_at].map(time);
            let [created, used, revoked] = times;
            [token.id.to_string(), login, token.name, created, used, revoked]
        }),
    );
    Ok(())
}

pub fn revoke(connection: &mut PgConnection, id: i32) -> Result<(), AdminError> {
    if !tokens::revoke(connection, id)? {
        return Err(AdminError::NoToken(id));
    }
    println!("revoked the token {id}");
    Ok(())
}
