//! `supercargo admin team`.

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::AdminError;
use super::output::{print_json, print_table, say};
use crate::database::access::audit::Actor;
use crate::database::access::teams;
use crate::jobs::team_changes::{self, Membership};

pub fn create(connection: &mut PgConnection, operator: &Actor, name: &str) -> Result<(), AdminError> {
    let team = connection.transaction(|connection| team_changes::create(connection, name, operator))?;
    say!("created the team {}; add members with `supercargo admin team add-member {0} USER`", team.name);
    Ok(())
}

pub fn delete(connection: &mut PgConnection, operator: &Actor, name: &str) -> Result<(), AdminError> {
    let team = connection.transaction(|connection| team_changes::delete(connection, name, operator))?;
    say!("deleted the team {}", team.name);
    Ok(())
}

/// Adds a user to a team or removes one.
pub fn set_member(
    connection: &mut PgConnection,
    operator: &Actor,
    team: &str,
    login: &str,
    membership: Membership,
) -> Result<(), AdminError> {
    let changed = connection
        .transaction(|connection| team_changes::set_member(connection, (team, login), membership, operator))?;
    let (login, team) = (changed.user.login, changed.team.name);
    match (membership, changed.changed) {
        (Membership::Add, true) => say!("{login} is now a member of {team}"),
        (Membership::Add, false) => say!("{login} is already a member of {team}"),
        (Membership::Remove, _) => say!("{login} is no longer a member of {team}"),
    }
    Ok(())
}

pub fn show(connection: &mut PgConnection, name: &str, as_json: bool) -> Result<(), AdminError> {
    let team = team_changes::existing(connection, name)?;
    let members: Vec<_> = teams::members(connection, team.id)?.into_iter().map(|user| user.login).collect();
    let crates = teams::crates_of(connection, team.id)?;
    if as_json {
        return Ok(print_json(&json!({ "id": team.id, "name": team.name, "members": members, "crates": crates }))?);
    }
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    say!("team     {}\nmembers  {}\ncrates   {}", team.login(), list(&members), list(&crates));
    Ok(())
}

pub fn list(connection: &mut PgConnection, as_json: bool) -> Result<(), AdminError> {
    let teams = teams::list(connection)?;
    if as_json {
        let teams: Vec<_> = teams
            .iter()
            .map(|(team, members, crates)| {
                json!({ "id": team.id, "name": team.name, "members": members, "crates": crates })
            })
            .collect();
        return Ok(print_json(&teams)?);
    }
    print_table(
        ["ID", "NAME", "MEMBERS", "CRATES"],
        teams
            .into_iter()
            .map(|(team, members, crates)| [team.id.to_string(), team.name, members.to_string(), crates.to_string()]),
    );
    Ok(())
}
