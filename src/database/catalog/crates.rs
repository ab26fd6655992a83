//! Crates: a name, taken once.

use diesel::prelude::*;

use super::crate_limits::CrateLimits;
use crate::database::schema::crates;
use crate::package::CrateName;

#[derive(Queryable, Selectable, Identifiable, Clone, Debug)]
#[diesel(table_name = crates)]
pub struct Crate {
    pub id: i32,
    /// The first spelling, which is the crate's name for ever.
    pub name: CrateName,
    /// Its own limits.
    #[diesel(embed)]
    pub limits: CrateLimits,
}

/// Finds a crate by any spelling of its name.
pub fn find(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Option<Crate>> {
    crates::table
        .filter(crates::canonical_name.eq(name.canonical()))
        .select(Crate::as_select())
        .first(connection)
        .optional()
}

/// What a crate is called.
pub fn name_of(connection: &mut PgConnection, id: i32) -> QueryResult<CrateName> {
    crates::table.find(id).select(crates::name).first(connection)
}

/// The names of the crates that are called like these in some spelling.
pub fn names_like(connection: &mut PgConnection, names: &[&CrateName]) -> QueryResult<Vec<CrateName>> {
    let canonical: Vec<_> = names.iter().map(|name| name.canonical()).collect();
    crates::table.filter(crates::canonical_name.eq_any(canonical)).select(crates::name).load(connection)
}

/// Finds a crate and locks its row until the transaction ends. Whoever writes a crate's versions or owners holds this
/// lock first, so that what they do has an order, and ids of versions and jobs are in it.
pub fn find_and_lock(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Option<Crate>> {
    crates::table
        .filter(crates::canonical_name.eq(name.canonical()))
        .select(Crate::as_select())
        .for_no_key_update()
        .first(connection)
        .optional()
}

/// Finds and locks a crate, and creates it first if nobody has the name; true if it was created here. Two that create
/// one name at the same time meet at its unique index: the second waits, and then finds the first one's.
pub fn ensure_and_lock(connection: &mut PgConnection, name: &CrateName) -> QueryResult<(Crate, bool)> {
    let created = diesel::insert_into(crates::table)
        .values(crates::name.eq(name))
        .on_conflict_do_nothing()
        .returning(Crate::as_returning())
        .get_result(connection)
        .optional()?;
    match created {
        Some(created) => Ok((created, true)),
        None => find_and_lock(connection, name)?.map(|found| (found, false)).ok_or(diesel::NotFound),
    }
}

/// Locks the rows of several crates in the order of their ids, which is what keeps two such transactions from waiting
/// for one another.
pub fn lock_all(connection: &mut PgConnection, ids: &[i32]) -> QueryResult<Vec<i32>> {
    crates::table
        .filter(crates::id.eq_any(ids))
        .order(crates::id)
        .select(crates::id)
        .for_no_key_update()
        .load(connection)
}
