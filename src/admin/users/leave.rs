//! `supercargo admin user disable`, `enable` and `remove`.

use diesel::{Connection, PgConnection};

use super::existing;
use crate::admin::AdminError;
use crate::admin::output::say;
use crate::database::access::administrator::Administrator;
use crate::database::access::audit::Actor;
use crate::database::access::users::{self, UserState};
use crate::database::catalog::owners::Owner;
use crate::database::catalog::user_changes;
use crate::database::catalog::user_removal::{Removal, listed};
use crate::jobs::leaving;

pub fn disable(connection: &mut PgConnection, operator: &Actor, login: &str) -> Result<(), AdminError> {
    let done = connection.transaction(|connection| {
        users::lock_all(connection)?;
        let user = existing(connection, login)?;
        let Some(disabled) = user_changes::disable(connection, &user, operator)? else {
            return Ok(format!("nothing changed: {} is already {}", user.login, user.state().as_str()));
        };
        let login = user.login;
        let mut done = format!(
            "disabled {login}: {} refused until `supercargo admin user enable {login}`",
            counted(disabled.tokens, "valid token is", "valid tokens are")
        );
        if !disabled.alone.is_empty() {
            done += &format!(
                "\n{login} was the only active user among the owners of {}: add another with `supercargo admin owner add \
                 CRATE LOGIN`, or only admins can change their owners",
                listed(&disabled.alone)
            );
        }
        Ok::<_, AdminError>(done)
    })?;
    say!("{done}");
    Ok(())
}

pub fn enable(connection: &mut PgConnection, operator: &Actor, login: &str) -> Result<(), AdminError> {
    let done = connection.transaction(|connection| {
        users::lock_all(connection)?;
        let user = existing(connection, login)?;
        let (login, was) = (&user.login, user.state());
        let Some(tokens) = user_changes::enable(connection, &user, operator)? else {
            return Ok(format!("nothing changed: {login} is active"));
        };
        Ok::<_, AdminError>(match was {
            UserState::Removed => format!(
                "enabled {login}, who has no token, no crate and no team: create a token with `supercargo admin token \
                 create --user {login}`"
            ),
            _ => format!("enabled {login}: {} valid again", counted(tokens, "token is", "tokens are")),
        })
    })?;
    say!("{done}");
    Ok(())
}

/// Removes a user; the successors become owners of the user's crates.
pub fn remove(
    connection: &mut PgConnection,
    operator: &Actor,
    login: &str,
    successors: &[String],
) -> Result<(), AdminError> {
    let user = existing(connection, login)?;
    let owners = leaving::successors(connection, successors)?;
    match leaving::remove(connection, &user, &owners, Administrator::Operator(operator))? {
        Some(removal) => say!("removed {}: {}", user.login, described(&removal, &owners)),
        None => say!("nothing changed: {} was already removed", user.login),
    }
    Ok(())
}

fn described(removal: &Removal, successors: &[Owner]) -> String {
    let crates = counted(removal.crates.len(), "crate", "crates");
    let to: Vec<_> = successors.iter().map(Owner::login).collect();
    let mut parts = vec![format!("revoked {}", counted(removal.tokens.len(), "token", "tokens"))];
    match (removal.crates.is_empty(), to.is_empty()) {
        (true, _) => {}
        (false, true) => parts.push(format!("left {crates} to the other owners ({})", listed(&removal.crates))),
        (false, false) => {
            parts.push(format!("handed over {crates} to {} ({})", to.join(", "), listed(&removal.crates)))
        }
    }
    if !removal.teams.is_empty() {
        parts.push(format!("removed from {}", removal.teams.join(", ")));
    }
    parts.join("; ")
}

fn counted(count: impl TryInto<u64>, one: &str, several: &str) -> String {
    match count.try_into().unwrap_or_default() {
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
    }
}
