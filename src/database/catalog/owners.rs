//! Owners of crates and their rights. Users who own a crate have all rights; members of teams that own it may publish and
//! yank.

use diesel::prelude::*;

use super::invitations;
use crate::database::access::caller::Caller;
use crate::database::access::teams::Team;
use crate::database::access::users::{Inactive, User, UserState};
use crate::database::schema::{crate_owners, crate_team_owners, crates, team_members, teams, users};
use crate::package::CrateName;

/// A user's rights on a crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    None,
    /// A member of a team that owns it: publish and yank.
    Publish,
    /// An owner: also change the owners.
    Full,
}

impl Rights {
    /// The rights of an owner, and of a member of a team that is one.
    pub(super) fn of(own: bool, by_team: bool) -> Self {
        match (own, by_team) {
            (true, _) => Self::Full,
            (false, true) => Self::Publish,
            (false, false) => Self::None,
        }
    }
}

/// SQL: two expressions, for [`Rights::of`], in a statement in which `crates.id` is the crate and `asked` has `user_id`.
pub(super) const RIGHTS: &str = "
    EXISTS (SELECT FROM crate_owners WHERE crate_id = crates.id AND crate_owners.user_id = asked.user_id),
    EXISTS (SELECT FROM crate_team_owners JOIN team_members USING (team_id)
            WHERE crate_id = crates.id AND team_members.user_id = asked.user_id)";

/// The rights of a user on a crate.
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
    Ok(Rights::of(own, by_team))
}

/// Whether a caller may see what the log says of a crate: admins may, and those who may publish it, with a token without
/// restrictions.
pub fn may_see_log(connection: &mut PgConnection, crate_id: i32, caller: &Caller) -> QueryResult<bool> {
    Ok(caller.is_admin()
        || (caller.unrestricted().is_ok() && rights(connection, crate_id, caller.user.id)? != Rights::None))
}

/// The users who own a crate, in the order in which they became owners.
pub fn list(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<User>> {
    crate_owners::table
        .inner_join(users::table)
        .filter(crate_owners::crate_id.eq(crate_id))
        .order((crate_owners::created_at, users::id))
        .select(User::as_select())
        .load(connection)
}

/// The teams that own a crate, in the order in which they became owners.
pub fn list_teams(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<Team>> {
    crate_team_owners::table
        .inner_join(teams::table)
        .filter(crate_team_owners::crate_id.eq(crate_id))
        .order((crate_team_owners::created_at, teams::id))
        .select(Team::as_select())
        .load(connection)
}

/// A user or a team, as an owner or a future owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    User(User),
    Team(Team),
}

impl Owner {
    /// Finds a user by login, or a team by `team:NAME`.
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

    /// Whether it is a user who was removed.
    pub fn was_removed(&self) -> bool {
        matches!(self, Self::User(user) if user.state() == UserState::Removed)
    }

    /// Checks that it may be given a crate.
    pub fn check_active(&self) -> Result<(), Inactive> {
        match self {
            Self::User(user) => user.check_active(),
            Self::Team(_) => Ok(()),
        }
    }

    /// Adds it to a crate's owners; false if it is one already.
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

    /// Removes it from a crate's owners, unless it is the last user among them. The crate's row must be locked.
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

/// The ids and names of the crates that a user owns, not as a member of a team, by id.
pub fn crates_of(connection: &mut PgConnection, user: i32) -> QueryResult<Vec<(i32, CrateName)>> {
    crate_owners::table
        .inner_join(crates::table)
        .filter(crate_owners::user_id.eq(user))
        .order(crates::id)
        .select((crates::id, crates::name))
        .load(connection)
}

/// The names of the crates of which a user is the only active user among the owners.
pub fn crates_of_alone(connection: &mut PgConnection, user: i32) -> QueryResult<Vec<CrateName>> {
    let other = diesel::alias!(crate_owners as other);
    let others = other
        .inner_join(users::table.on(users::id.eq(other.field(crate_owners::user_id))))
        .filter(other.field(crate_owners::crate_id).eq(crates::id))
        .filter(other.field(crate_owners::user_id).ne(user))
        .filter(users::disabled_at.is_null());
    crate_owners::table
        .inner_join(crates::table)
        .filter(crate_owners::user_id.eq(user))
        .filter(diesel::dsl::not(diesel::dsl::exists(others)))
        .order(crates::name)
        .select(crates::name)
        .load(connection)
}

/// Makes a user an owner, who has no invitation then; false if the user is one already.
pub fn add(connection: &mut PgConnection, crate_id: i32, user: i32) -> QueryResult<bool> {
    invitations::take(connection, crate_id, user)?;
    diesel::insert_into(crate_owners::table)
        .values((crate_owners::crate_id.eq(crate_id), crate_owners::user_id.eq(user)))
        .on_conflict_do_nothing()
        .execute(connection)
        .map(|added| added > 0)
}

/// The result of removing an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    Done,
    WasNone,
    /// The last user among the owners stays: without users, nobody could change the owners.
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
