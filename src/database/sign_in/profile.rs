//! What a provider says of a user, and how the user becomes that at each sign-in.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde_json::json;

use super::refusal::SignInRefusal;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::role::Role;
use crate::database::access::teams::{self, CreateTeamError, Team};
use crate::database::access::users::{self, User};
use crate::database::schema::{team_members, teams as all_teams, users as all_users};

/// What a provider says of a user. What it says nothing about stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The full name.
    pub name: Option<String>,
    pub is_admin: Option<bool>,
    pub role: Option<Role>,
    /// The teams of the user's groups.
    pub teams: Option<BTreeSet<String>>,
}

impl Profile {
    /// Applies it to a user: rights that the user has no more are taken, and changes that the user has begun are waited for. The
    /// user with what has changed is returned.
    pub fn apply(
        &self,
        connection: &mut PgConnection,
        user: User,
        (issuer, actor): (&str, &Actor),
    ) -> Result<User, SignInRefusal> {
        let mut user = user;
        if let Some(name) = self.name.as_ref().filter(|name| Some(*name) != user.name.as_ref()) {
            diesel::update(all_users::table.find(user.id)).set(all_users::name.eq(name)).execute(connection)?;
            user.name = Some(name.clone());
        }
        self.apply_rights(connection, &mut user, (issuer, actor))?;
        if let Some(wanted) = &self.teams {
            apply_teams(connection, &user, wanted, (issuer, actor))?;
        }
        Ok(user)
    }

    /// An admin is a member, so the right that is taken is taken first.
    fn apply_rights(
        &self,
        connection: &mut PgConnection,
        user: &mut User,
        (issuer, actor): (&str, &Actor),
    ) -> QueryResult<()> {
        let is_admin = self.is_admin.unwrap_or(user.is_admin);
        let role = if is_admin { Role::Member } else { self.role.unwrap_or(user.role) };
        let detail = json!({ "issuer": issuer });
        if !is_admin && users::set_admin(connection, user.id, false)? {
            Event::new(Action::UserDemote).about(&user.login).detail(detail.clone()).record(connection, actor)?;
        }
        if users::set_role(connection, user.id, role)? {
            let detail = json!({ "issuer": issuer, "role": role.as_str(), "was": user.role.as_str() });
            Event::new(Action::UserRole).about(&user.login).detail(detail).record(connection, actor)?;
        }
        if is_admin && users::set_admin(connection, user.id, true)? {
            Event::new(Action::UserPromote).about(&user.login).detail(detail).record(connection, actor)?;
        }
        (user.is_admin, user.role) = (is_admin, role);
        Ok(())
    }
}

fn create_team(
    connection: &mut PgConnection,
    name: &str,
    (issuer, actor): (&str, &Actor),
) -> Result<Team, SignInRefusal> {
    match connection.transaction(|connection| teams::create(connection, name)) {
        Ok(team) => {
            let event = Event::new(Action::TeamCreate).about(&team.name).detail(json!({ "issuer": issuer }));
            event.record(connection, actor)?;
            Ok(team)
        }
        // Somebody else of the same group has just signed in.
        Err(CreateTeamError::Exists(name)) => {
            teams::find(connection, &name)?.ok_or_else(|| CreateTeamError::Exists(name).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes a user a member of the teams of the user's groups, and ends the memberships that this issuer has given and gives no more.
/// Memberships that an operator has given stay.
fn apply_teams(
    connection: &mut PgConnection,
    user: &User,
    wanted: &BTreeSet<String>,
    (issuer, actor): (&str, &Actor),
) -> Result<(), SignInRefusal> {
    let given: Vec<Team> = team_members::table
        .inner_join(all_teams::table)
        .filter(team_members::user_id.eq(user.id).and(team_members::issuer.eq(issuer)))
        .select(Team::as_select())
        .load(connection)?;
    let is_wanted = |team: &Team| wanted.iter().any(|name| name.eq_ignore_ascii_case(&team.name));
    let detail = json!({ "user": user.login, "issuer": issuer });
    for team in given.iter().filter(|team| !is_wanted(team)) {
        if teams::remove_member(connection, team.id, user.id)? {
            let event = Event::new(Action::TeamMemberRemove).about(&team.name).detail(detail.clone());
            event.record(connection, actor)?;
        }
    }
    for name in wanted {
        let team = match teams::find(connection, name)? {
            Some(team) => team,
            None => create_team(connection, name, (issuer, actor))?,
        };
        if teams::add_member(connection, team.id, user.id)? {
            diesel::update(team_members::table.find((team.id, user.id)))
                .set(team_members::issuer.eq(issuer))
                .execute(connection)?;
            Event::new(Action::TeamMemberAdd).about(&team.name).detail(detail.clone()).record(connection, actor)?;
        }
    }
    Ok(())
}
