//! Teams: named groups of users. The members of a team can publish and yank the team's crates.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};

use super::users::User;
use crate::database::schema::{crate_team_owners, crates, team_members, teams, users};

/// The prefix of a team's name in a list of owners.
pub const PREFIX: &str = "team:";

diesel::define_sql_function!(fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text);

#[derive(Queryable, Selectable, Identifiable, Clone, Debug, PartialEq, Eq)]
#[diesel(table_name = teams)]
pub struct Team {
    pub id: i32,
    pub name: String,
}

impl Team {
    /// The team's name as an owner.
    pub fn login(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }
}

/// Why a team cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateTeamError {
    #[error("the team {0:?} already exists (case is ignored): choose another name")]
    Exists(String),
    #[error(
        "{0:?} is not a valid team name: use 1 to 64 letters, digits, '-', '_' or '.', beginning with a letter or digit"
    )]
    Name(String),
    #[error(transparent)]
    Database(#[from] Error),
}

/// Checks that a team can have a name.
pub fn check_name(name: &str) -> Result<(), CreateTeamError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if name.len() > 64 || !begins_well || !name.chars().all(allowed) {
        return Err(CreateTeamError::Name(name.to_owned()));
    }
    Ok(())
}

/// Creates a team without members.
pub fn create(connection: &mut PgConnection, name: &str) -> Result<Team, CreateTeamError> {
    check_name(name)?;
    diesel::insert_into(teams::table)
        .values(teams::name.eq(name))
        .returning(Team::as_returning())
        .get_result(connection)
        .map_err(|error| match error {
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => CreateTeamError::Exists(name.to_owned()),
            other => other.into(),
        })
}

/// Finds a team by its name, ignoring case.
pub fn find(connection: &mut PgConnection, name: &str) -> QueryResult<Option<Team>> {
    if name.contains('\0') {
        // PostgreSQL rejects such a text.
        return Ok(None);
    }
    teams::table
        .filter(lower(teams::name).eq(name.to_lowercase()))
        .select(Team::as_select())
        .first(connection)
        .optional()
}

/// Finds a team and locks its row until the transaction ends, so that it gets no crate and no rule meanwhile.
pub fn find_and_lock(connection: &mut PgConnection, name: &str) -> QueryResult<Option<Team>> {
    let Some(found) = find(connection, name)? else { return Ok(None) };
    teams::table.find(found.id).select(Team::as_select()).for_update().first(connection).optional()
}

/// A team with its numbers of members and crates.
pub type CountedTeam = (Team, i64, i64);

/// Teams with their numbers of members and crates.
#[diesel::dsl::auto_type(no_type_alias)]
fn counted() -> _ {
    let members =
        team_members::table.filter(team_members::team_id.eq(teams::id)).count().single_value().assume_not_null();
    let owned = crate_team_owners::table
        .filter(crate_team_owners::team_id.eq(teams::id))
        .count()
        .single_value()
        .assume_not_null();
    let team: diesel::dsl::AsSelect<Team, diesel::pg::Pg> = Team::as_select();
    teams::table.select((team, members, owned))
}

/// All teams by name, with their numbers of members and crates.
pub fn list(connection: &mut PgConnection) -> QueryResult<Vec<CountedTeam>> {
    counted().order(teams::name).load(connection)
}

/// Teams on a page of a list, with a text in their names whose case is ignored, by name, with their numbers of members and
/// crates; and how many there are.
pub fn page(
    connection: &mut PgConnection,
    part: &str,
    (limit, offset): (i64, i64),
) -> QueryResult<(Vec<CountedTeam>, i64)> {
    diesel::define_sql_function!(fn strpos(text: diesel::sql_types::Text, part: diesel::sql_types::Text) -> diesel::sql_types::Integer);
    let shown = strpos(lower(teams::name), part.to_lowercase()).gt(0);
    let total = teams::table.filter(shown.clone()).count().get_result(connection)?;
    Ok((counted().filter(shown).order(lower(teams::name)).limit(limit).offset(offset).load(connection)?, total))
}

/// The members of a team, by login.
pub fn members(connection: &mut PgConnection, team: i32) -> QueryResult<Vec<User>> {
    team_members::table
        .inner_join(users::table)
        .filter(team_members::team_id.eq(team))
        .order(users::login)
        .select(User::as_select())
        .load(connection)
}

/// The members of a team, by login, each with the issuer whose groups gave the membership, if one did.
pub fn memberships(connection: &mut PgConnection, team: i32) -> QueryResult<Vec<(User, Option<String>)>> {
    team_members::table
        .inner_join(users::table)
        .filter(team_members::team_id.eq(team))
        .order(users::login)
        .select((User::as_select(), team_members::issuer))
        .load(connection)
}

/// Adds a member; false if the user already was one.
pub fn add_member(connection: &mut PgConnection, team: i32, user: i32) -> QueryResult<bool> {
    diesel::insert_into(team_members::table)
        .values((team_members::team_id.eq(team), team_members::user_id.eq(user)))
        .on_conflict_do_nothing()
        .execute(connection)
        .map(|added| added > 0)
}

/// Removes a member; false if the user was not one. Waits for changes that the user has begun.
pub fn remove_member(connection: &mut PgConnection, team: i32, user: i32) -> QueryResult<bool> {
    connection.transaction(|connection| {
        super::users::lock(connection, user)?;
        diesel::delete(team_members::table.find((team, user))).execute(connection).map(|removed| removed > 0)
    })
}

/// The teams of a user, by name.
pub fn of_user(connection: &mut PgConnection, user: i32) -> QueryResult<Vec<Team>> {
    team_members::table
        .inner_join(teams::table)
        .filter(team_members::user_id.eq(user))
        .order(teams::name)
        .select(Team::as_select())
        .load(connection)
}

/// The names of the crates that a team owns.
pub fn crates_of(connection: &mut PgConnection, team: i32) -> QueryResult<Vec<String>> {
    crate_team_owners::table
        .inner_join(crates::table)
        .filter(crate_team_owners::team_id.eq(team))
        .order(crates::name)
        .select(crates::name)
        .load(connection)
}

/// Deletes a team that owns no crate, with its memberships.
pub fn delete(connection: &mut PgConnection, team: i32) -> QueryResult<usize> {
    diesel::delete(teams::table.find(team)).execute(connection)
}
