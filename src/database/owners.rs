//! Who may publish and yank a crate.

use diesel::prelude::*;

use super::schema::{crate_owners, users};
use super::users::User;

/// The owners of a crate, the first one first.
pub fn list(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<User>> {
    crate_owners::table
        .inner_join(users::table)
        .filter(crate_owners::crate_id.eq(crate_id))
        .order((crate_owners::created_at, users::id))
        .select(User::as_select())
        .load(connection)
}

pub fn is_owner(connection: &mut PgConnection, crate_id: i32, user: i32) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(crate_owners::table.find((crate_id, user)))).get_result(connection)
}

/// Adds an owner; false if the user was one.
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
    /// A crate without owners could never be published to again.
    IsLast,
}

/// Removes an owner unless it is the last one. The caller holds the lock of the crate's row.
pub fn remove(connection: &mut PgConnection, crate_id: i32, user: i32) -> QueryResult<Removed> {
    if !is_owner(connection, crate_id, user)? {
        return Ok(Removed::WasNone);
    }
    let owners: i64 = crate_owners::table.filter(crate_owners::crate_id.eq(crate_id)).count().get_result(connection)?;
    if owners == 1 {
        return Ok(Removed::IsLast);
    }
    diesel::delete(crate_owners::table.find((crate_id, user))).execute(connection)?;
    Ok(Removed::Done)
}
