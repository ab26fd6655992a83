//! `supercargo admin user`.

pub mod create;
pub mod invitation;
pub mod leave;

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::AdminError;
use super::output::{print_json, print_table, say};
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::users::{self, User};

/// Grants or removes admin rights.
pub fn set_admin(connection: &mut PgConnection, operator: &Actor, login: &str, admin: bool) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        let user = existing(connection, login)?;
        users::lock(connection, user.id)?;
        if admin {
            users::read_to_take(connection, user.id)?.check_active()?;
        }
        if users::set_admin(connection, user.id, admin)? {
            let action = if admin { Action::UserPromote } else { Action::UserDemote };
            Event::new(action).about(&user.login).record(connection, operator)?;
            say!("{} is {} admin", user.login, if admin { "now an" } else { "no longer an" });
        } else {
            say!("nothing changed: {} is {} admin", user.login, if admin { "already an" } else { "not an" });
        }
        Ok(())
    })
}

pub fn list(connection: &mut PgConnection, as_json: bool) -> Result<(), AdminError> {
    let users = users::list(connection)?;
    if as_json {
        let users: Vec<_> = users
            .iter()
            .map(|user| {
                json!({
                    "id": user.id, "login": user.login, "name": user.name, "is_admin": user.is_admin,
                    "state": user.state().as_str(), "disabled_at": user.disabled_at, "removed_at": user.removed_at,
                })
            })
            .collect();
        return Ok(print_json(&users)?);
    }
    let admin = |user: &User| if user.is_admin { "yes" } else { "-" }.to_owned();
    print_table(
        ["ID", "LOGIN", "ADMIN", "STATE"],
        users
            .into_iter()
            .map(|user| [user.id.to_string(), user.login.clone(), admin(&user), user.state().as_str().to_owned()]),
    );
    Ok(())
}

/// The user with this login.
pub(super) fn existing(connection: &mut PgConnection, login: &str) -> Result<User, AdminError> {
    users::find(connection, login)?.ok_or_else(|| AdminError::NoUser(login.to_owned()))
}
