//! `supercargo admin owner`.

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::output::{print_json, print_table};
use super::{AdminError, users};
use crate::database::crates::{self, Crate};
use crate::database::owners::{self, Removed};

pub fn add(connection: &mut PgConnection, name: &str, login: &str) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        let user = users::existing(connection, login)?;
        let krate = existing(connection, name)?;
        if owners::add(connection, krate.id, user.id)? {
            println!("{} is now an owner of {}", user.login, krate.name);
        } else {
            println!("{} was an owner of {} already", user.login, krate.name);
        }
        Ok(())
    })
}

pub fn remove(connection: &mut PgConnection, name: &str, login: &str) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        let user = users::existing(connection, login)?;
        let krate = existing(connection, name)?;
        match owners::remove(connection, krate.id, user.id)? {
            Removed::Done => println!("{} is no longer an owner of {}", user.login, krate.name),
            Removed::WasNone => return Err(AdminError::NoOwner { name: krate.name, login: user.login }),
            Removed::IsLast => return Err(AdminError::LastOwner { name: krate.name, login: user.login }),
        }
        Ok(())
    })
}

pub fn list(connection: &mut PgConnection, name: &str, as_json: bool) -> Result<(), AdminError> {
    let krate = existing(connection, name)?;
    let owners = owners::list(connection, krate.id)?;
    if as_json {
        let owners: Vec<_> =
            owners.iter().map(|user| json!({ "id": user.id, "login": user.login, "name": user.name })).collect();
        return print_json(&owners);
    }
    print_table(["ID", "LOGIN"], owners.into_iter().map(|user| [user.id.to_string(), user.login]));
    Ok(())
}

fn existing(connection: &mut PgConnection, name: &str) -> Result<Crate, AdminError> {
    let unknown = || AdminError::NoCrate(name.to_owned());
    let parsed = name.parse().map_err(|_| unknown())?;
    crates::find_and_lock(connection, &parsed)?.ok_or_else(unknown)
}
