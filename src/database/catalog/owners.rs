//! Who may do what with a crate. Users who own it may do everything, members of teams that own it may publish and yank.

use diesel::prelude::*;

use crate::database::access::teams::Team;
use crate::database::access::users::User;
use crate::database::schema::{crate_owners, crate_team_owners, team_members, teams, users};

/// What somebody may do with a crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    None,
    /// As a member of a team: publish and yank.
    Publish,
    /// As an owner: change the owners as well.
    Full,
}

/// What a user may do with a crate.
pub fn rights(connection: &mut PgConnection, crate_id: i32, user: i32) -> QueryResult<Rights> {
    use diesel::dsl::exists;
    let own = exists(crate_owners::table.find((crate_id, user)));
    let by_team = exists(
        crate_team_owners::table
            .inner_join(team_members::table.on(team_members::team_id.eq(crate_team_owners::team_id)))
            .filter(crate_team_owners::crate_id.eq(crate_id))
            .filter(team_members::user_id.eq(user)),
    );
    let (own, by_team): (bool, bool) = diesel::select((own, by_team)).get_result(connection)?;
    Ok(match (own, by_team) {
        (true, _) => Rights::Full,
        (false, true) => Rights::Publish,
        (false, false) => Rights::None,
    })
}

/// The users who own a crate, the first one first.
pub fn list(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<User>> {
    crate_owners::table
        .inner_join(users::table)
        .filter(crate_owners::crate_id.eq(crate_id))
        .order((crate_owners::created_at, users::id))
        .select(User::as_select())
        .load(connection)
}

/// The teams that own a crate, the first one first.
pub fn list_teams(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<Team>> {
    crate_team_owners::table
        .inner_join(teams::table)
        .filter(crate_team_owners::crate_id.eq(crate_id))
        .order((crate_team_owners::created_at, teams::id))
        .select(Team::as_select())
        .load(connection)
}

/// An owner, or somebody who may become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    User(User),
    Team(Team),
}

impl Owner {
    /// Finds who is named: a login, or a team as `team:NAME`.
    pub fn find(connection: &mut PgConnection, login: &str) -> QueryResult<Option<Self>> {
        Ok(match login.strip_prefix(crate::database::access::teams::PREFIX) {
            Some(team) => crate::database::access::teams::find(connection, team)?.map(Self::Team),
            None => crate::database::access::users::find(connection, login)?.map(Self::User),
        })
    }

    pub fn login(&self) -> String {
        match self {
            Self::User(user) => user.login.clone(),
            Self::Team(team) => team.login(),
        }
    }

    /// Adds it to a crate's owners; false if it was one.
    pub fn add_to(&self, connection: &mut PgConnection, crate_id: i32) -> QueryResult<bool> {
        match self {
            Self::User(user) => add(connection, crate_id, user.id),
            Self::Team(team) => diesel::insert_into(crate_team_owners::table)
                .values((crate_team_owners::crate_id.eq(crate_id), crate_team_owners::team_id.eq(team.id)))
                .on_conflict_do_nothing()
                .execute(connection)
                .map(|added| added > 0),
        }
    }

    /// Removes it from a crate's owners, unless it is the last user among them. The caller holds the lock of the crate's
    /// row.
    pub fn remove_from(&self, connection: &mut PgConnection, crate_id: i32) -> QueryResult<Removed> {
        match self {
            Self::User(user) => remove(connection, crate_id, user.id),
            Self::Team(team) => {
                let removed = diesel::delete(crate_team_owners::table.find((crate_id, team.id))).execute(connection)?;
                Ok(if removed > 0 { Removed::Done } else { Removed::WasNone })
            }
        }
    }
}

/// All owners of a crate: users first, then teams.
pub fn list_all(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<Owner>> {
    let users = list(connection, crate_id)?.into_iter().map(Owner::User);
    let teams = list_teams(connection, crate_id)?.into_iter().map(Owner::Team);
    Ok(users.chain(teams).collect())
}

/// Makes a user an owner; false if the user was one.
pub fn add(connection: &mut PgConnection, crate_id: i32, user: i32) -> QueryResult<bool> {
    diesel::insert_into(crate_owners::table)
        .values((crate_owners::crate_id.eq(crate_id), crate_owners::user_id.eq(user)))
        .on_conflict_do_nothing()
        .execute(connection)
        .map(|added| added > 0)
}

/// What became of the wish to remove an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    Done,
    WasNone,
    /// Nobody could change the owners of a crate without users among them.
    IsLast,
}

fn remove(connection: &mut PgConnection, crate_id: i32, user: i32) -> QueryResult<Removed> {
    let owners: Vec<i32> = crate_owners::table
        .filter(crate_owners::crate_id.eq(crate_id))
        .select(crate_owners::user_id)
        .load(connection)?;
    if !owners.contains(&user) {
        return Ok(Removed::WasNone);
    }
    if owners.len() == 1 {
        return Ok(Removed::IsLast);
    }
    diesel::delete(crate_owners::table.find((crate_id, user))).execute(connection)?;
    Ok(Removed::Done)
}
