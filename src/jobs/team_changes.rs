//! What operators and admins change about teams, each with its entry in the audit log. The caller begins the transaction.

use diesel::PgConnection;
use serde_json::json;

use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::teams::{self, CreateTeamError, Team};
use crate::database::access::users::{self, Inactive, User};
use crate::database::staging::rules;
use crate::package::characters::Plain;

/// Why a team was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TeamError {
    #[error("there is no team {0:?}: create one with `supercargo admin team create {plain}`", plain = Plain(.0))]
    NoTeam(String),
    #[error("there is no user {0:?}: create one with `supercargo admin user create {plain}`", plain = Plain(.0))]
    NoUser(String),
    #[error(
        "the team {team:?} owns {}: remove it as their owner first, with `supercargo admin owner remove CRATE team:{team}`",
        .crates.join(", ")
    )]
    Owns { team: String, crates: Vec<String> },
    #[error(
        "rules of approvals name the team {team:?} ({}): remove them first, with `supercargo set rule remove`", .rules.join(", ")
    )]
    HasRules { team: String, rules: Vec<String> },
    #[error("{login} is not a member of {team}: see `supercargo admin team show {team}`")]
    NoMember { team: String, login: String },
    #[error(transparent)]
    Create(#[from] CreateTeamError),
    #[error(transparent)]
    Inactive(#[from] Inactive),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// What to do with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    Add,
    Remove,
}

/// A team and a user, and whether the membership was changed.
#[derive(Clone, Debug)]
pub struct Changed {
    pub team: Team,
    pub user: User,
    /// False if the user to add was a member.
    pub changed: bool,
}

/// Finds a team by its name, with or without the prefix of owners.
pub fn existing(connection: &mut PgConnection, name: &str) -> Result<Team, TeamError> {
    let name = plain_name(name);
    teams::find(connection, name)?.ok_or_else(|| TeamError::NoTeam(name.to_owned()))
}

fn plain_name(name: &str) -> &str {
    name.strip_prefix(teams::PREFIX).unwrap_or(name)
}

/// Creates a team without members.
pub fn create(connection: &mut PgConnection, name: &str, actor: &Actor) -> Result<Team, TeamError> {
    let team = teams::create(connection, name)?;
    Event::new(Action::TeamCreate).about(&team.name).record(connection, actor)?;
    Ok(team)
}

/// Deletes a team that owns no crate and that no rule names, with its memberships and webhooks.
pub fn delete(connection: &mut PgConnection, name: &str, actor: &Actor) -> Result<Team, TeamError> {
    let name = plain_name(name);
    let team = teams::find_and_lock(connection, name)?.ok_or_else(|| TeamError::NoTeam(name.to_owned()))?;
    let crates = teams::crates_of(connection, team.id)?;
    if !crates.is_empty() {
        return Err(TeamError::Owns { team: team.name, crates });
    }
    let rules = rules::naming_team(connection, team.id)?;
    if !rules.is_empty() {
        return Err(TeamError::HasRules { team: team.name, rules });
    }
    teams::delete(connection, team.id)?;
    Event::new(Action::TeamDelete).about(&team.name).record(connection, actor)?;
    Ok(team)
}

/// Adds a user to a team, or removes one.
pub fn set_member(
    connection: &mut PgConnection,
    (team, login): (&str, &str),
    membership: Membership,
    actor: &Actor,
) -> Result<Changed, TeamError> {
    let team = existing(connection, team)?;
    let user = users::find(connection, login)?.ok_or_else(|| TeamError::NoUser(login.to_owned()))?;
    let (changed, action) = match membership {
        Membership::Add => {
            users::read_to_give(connection, user.id)?.check_active()?;
            (teams::add_member(connection, team.id, user.id)?, Action::TeamMemberAdd)
        }
        Membership::Remove => (teams::remove_member(connection, team.id, user.id)?, Action::TeamMemberRemove),
    };
    if changed {
        let event = Event::new(action).about(&team.name).detail(json!({ "user": user.login }));
        event.record(connection, actor)?;
    } else if membership == Membership::Remove {
        return Err(TeamError::NoMember { team: team.name, login: user.login });
    }
    Ok(Changed { team, user, changed })
}
