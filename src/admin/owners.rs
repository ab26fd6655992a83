//! `supercargo admin owner`.

use diesel::PgConnection;
use serde_json::json;

use super::output::{print_json, print_table, say};
use super::{AdminError, crate_name};
use crate::database::access::audit::Actor;
use crate::database::catalog::owners::{self, Owner};
use crate::database::catalog::ownership::{self, Change};
use crate::database::catalog::refusal;

pub fn change(
    connection: &mut PgConnection,
    operator: &Actor,
    name: &str,
    owner: &str,
    change: Change,
) -> Result<(), AdminError> {
    let done = ownership::change(connection, &crate_name(name)?, &[owner.to_owned()], change, operator)?;
    say!("{done}");
    Ok(())
}

pub fn list(connection: &mut PgConnection, name: &str, as_json: bool) -> Result<(), AdminError> {
    let krate = refusal::find_crate(connection, &crate_name(name)?)??;
    let owners = owners::list_all(connection, krate.id)?.into_iter().map(|owner| match &owner {
        Owner::User(user) => ("user", user.id, owner.login(), user.name.clone()),
        Owner::Team(team) => ("team", team.id, owner.login(), None),
    });
    if as_json {
        let owners: Vec<_> = owners
            .map(|(kind, id, login, name)| json!({ "kind": kind, "id": id, "login": login, "name": name }))
            .collect();
        return Ok(print_json(&owners)?);
    }
    print_table(["ID", "LOGIN", "KIND"], owners.map(|(kind, id, login, _)| [id.to_string(), login, kind.to_owned()]));
    Ok(())
}
