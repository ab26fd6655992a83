//! `supercargo admin user`.

pub mod create;
pub mod invitation;
pub mod leave;
pub mod sign_in_links;

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::AdminError;
use super::output::{print_json, print_table, say};
use crate::database::access::audit::Actor;
use crate::database::access::role::Role;
use crate::database::access::users::{self, User};
use crate::database::catalog::user_changes;

/// Grants or removes admin rights.
pub fn set_admin(connection: &mut PgConnection, operator: &Actor, login: &str, admin: bool) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        let user = existing(connection, login)?;
        users::lock(connection, user.id)?;
        if admin {
            users::read_to_take(connection, user.id)?.check_active()?;
        }
        if user_changes::set_admin(connection, &user, admin, operator)? {
            say!("{} is {} admin", user.login, if admin { "now an" } else { "no longer an" });
        } else {
            say!("nothing changed: {} is {} admin", user.login, if admin { "already an" } else { "not an" });
        }
        Ok(())
    })
}

/// Gives a user another role.
pub fn set_role(connection: &mut PgConnection, operator: &Actor, login: &str, role: Role) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        users::lock_all(connection)?;
        let user = existing(connection, login)?;
        user.check_active()?;
        if user.is_admin && role != Role::Member {
            return Err(AdminError::AdminRole { login: user.login, role });
        }
        if user_changes::set_role(connection, &user, role, operator)? {
            say!("{} has now the role {role}", user.login);
        } else {
            say!("nothing changed: {} already has the role {role}", user.login);
        }
        Ok(())
    })
}

/// Ends all sessions of a user.
pub fn sign_out(connection: &mut PgConnection, operator: &Actor, login: &str) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        users::lock_all(connection)?;
        let user = existing(connection, login)?;
        match user_changes::sign_out(connection, &user, operator)? {
            0 => say!("{} has no session", user.login),
            1 => say!("ended the session of {}; tokens stay valid: see `supercargo admin token list`", user.login),
            count => {
                say!("ended {count} sessions of {}; tokens stay valid: see `supercargo admin token list`", user.login)
            }
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
                    "role": user.role.as_str(), "state": user.state().as_str(), "disabled_at": user.disabled_at, "removed_at": user.removed_at,
                })
            })
            .collect();
        return Ok(print_json(&users)?);
    }
    let role = |user: &User| if user.is_admin { "admin" } else { user.role.as_str() }.to_owned();
    print_table(
        ["ID", "LOGIN", "ROLE", "STATE"],
        users
            .into_iter()
            .map(|user| [user.id.to_string(), user.login.clone(), role(&user), user.state().as_str().to_owned()]),
    );
    Ok(())
}

/// The user with this login.
pub(super) fn existing(connection: &mut PgConnection, login: &str) -> Result<User, AdminError> {
    users::find(connection, login)?.ok_or_else(|| AdminError::NoUser(login.to_owned()))
}
