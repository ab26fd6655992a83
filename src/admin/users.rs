//! `supercargo admin user`.

use diesel::PgConnection;
use serde_json::json;

use super::AdminError;
use super::output::{print_json, print_table};
use crate::database::users::{self, User};

pub fn create(connection: &mut PgConnection, login: &str) -> Result<(), AdminError> {
    let user = users::create(connection, login, None)?;
    println!("created the user {}; `supercargo admin token create --user {0}` makes a token", user.login);
    Ok(())
}

pub fn list(connection: &mut PgConnection, as_json: bool) -> Result<(), AdminError> {
    let users = users::list(connection)?;
    if as_json {
        let users: Vec<_> =
            users.iter().map(|user| json!({ "id": user.id, "login": user.login, "name": user.name })).collect();
        return print_json(&users);
    }
    print_table(["ID", "LOGIN"], users.into_iter().map(|user| [user.id.to_string(), user.login]));
    Ok(())
}

/// The user, or the error that says how to make one.
pub(super) fn existing(connection: &mut PgConnection, login: &str) -> Result<User, AdminError> {
    users::find(connection, login)?.ok_or_else(|| AdminError::NoUser(login.to_owned()))
}
