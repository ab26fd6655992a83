//! `supercargo admin team`.

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::output::{print_json, print_table, say};
use super::{AdminError, users};
use crate::database::access;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::teams::{self, Team};
use crate::database::staging::rules;

pub fn create(connection: &mut PgConnection, operator: &Actor, name: &str) -> Result<(), AdminError> {
    let team = connection.transaction(|connection| create_logged(connection, operator, name))?;
    say!("created the team {}; add members with `supercargo admin team add-member {0} USER`", team.name);
    Ok(())
}

/// Creates a team, with its entry in the audit log.
pub(super) fn create_logged(connection: &mut PgConnection, operator: &Actor, name: &str) -> Result<Team, AdminError> {
    let team = teams::create(connection, name)?;
    Event::new(Action::TeamCreate).about(&team.name).record(connection, operator)?;
    Ok(team)
}

pub fn delete(connection: &mut PgConnection, operator: &Actor, name: &str) -> Result<(), AdminError> {
    let team = connection.transaction(|connection| {
        let team = existing(connection, name)?;
        let crates = teams::crates_of(connection, team.id)?;
        if !crates.is_empty() {
            return Err(AdminError::TeamOwns { team: team.name, crates: crates.join(", ") });
        }
        let rules = rules::naming_team(connection, team.id)?;
        if !rules.is_empty() {
            return Err(AdminError::TeamHasRules { team: team.name, rules: rules.join(", ") });
        }
        teams::delete(connection, team.id)?;
        Event::new(Action::TeamDelete).about(&team.name).record(connection, operator)?;
        Ok::<_, AdminError>(team)
    })?;
    say!("deleted the team {}", team.name);
    Ok(())
}

/// Adds a user to a team or removes one.
pub fn set_member(
    connection: &mut PgConnection,
    operator: &Actor,
    team: &str,
    login: &str,
    member: bool,
) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        let team = existing(connection, team)?;
        let user = users::existing(connection, login)?;
        if member {
            access::users::read_to_give(connection, user.id)?.check_active()?;
        }
        let (changed, action) = if member {
            (teams::add_member(connection, team.id, user.id)?, Action::TeamMemberAdd)
        } else {
            (teams::remove_member(connection, team.id, user.id)?, Action::TeamMemberRemove)
        };
        match (changed, member) {
            (true, true) => say!("{} is now a member of {}", user.login, team.name),
            (true, false) => say!("{} is no longer a member of {}", user.login, team.name),
            (false, true) => say!("{} is already a member of {}", user.login, team.name),
            (false, false) => return Err(AdminError::NoMember { team: team.name, login: user.login }),
        }
        if changed {
            let event = Event::new(action).about(&team.name).detail(json!({ "user": user.login }));
            event.record(connection, operator)?;
        }
        Ok(())
    })
}

pub fn show(connection: &mut PgConnection, name: &str, as_json: bool) -> Result<(), AdminError> {
    let team = existing(connection, name)?;
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

fn existing(connection: &mut PgConnection, name: &str) -> Result<Team, AdminError> {
    let name = name.strip_prefix(teams::PREFIX).unwrap_or(name);
    teams::find(connection, name)?.ok_or_else(|| AdminError::NoTeam(name.to_owned()))
}
