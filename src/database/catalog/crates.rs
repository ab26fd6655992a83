//! Crates, and the locks of their rows.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::crate_deletion::{self, Deletion};
use crate::database::schema::crates;
use crate::package::CrateName;

#[derive(Queryable, Selectable, Identifiable, Clone, Debug)]
#[diesel(table_name = crates)]
pub struct Crate {
    pub id: i32,
    /// The spelling of the first publish, which never changes.
    pub name: CrateName,
    #[diesel(embed)]
    pub deletion: Deletion,
    /// Whether only trusted publishers may publish it.
    pub trustpub_only: bool,
}

/// Where the row of a crate comes from that a publish or an import has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was there, perhaps as that of a deleted crate.
    Existing,
    Created,
    /// It was that of a deleted crate whose name was released, and is now that of a new crate. The numbers of the former
    /// versions stay taken.
    Revived,
}

impl Origin {
    /// Whether the crate did not exist before.
    pub fn is_new(self) -> bool {
        self != Self::Existing
    }
}

/// Finds a crate by any spelling of its name.
pub fn find(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Option<Crate>> {
    crates::table
        .filter(crates::canonical_name.eq(name.canonical()))
        .select(Crate::as_select())
        .first(connection)
        .optional()
}

/// The name of a crate.
pub fn name_of(connection: &mut PgConnection, id: i32) -> QueryResult<CrateName> {
    crates::table.find(id).select(crates::name).first(connection)
}

/// The names of the crates, including deleted ones, that have one of these names in any spelling.
pub fn names_like(connection: &mut PgConnection, names: &[&CrateName]) -> QueryResult<Vec<CrateName>> {
    let canonical: Vec<_> = names.iter().map(|name| name.canonical()).collect();
    crates::table.filter(crates::canonical_name.eq_any(canonical)).select(crates::name).load(connection)
}

/// The names of the crates, without deleted ones, that have one of these names in any spelling.
pub fn present_names_like(connection: &mut PgConnection, names: &[&CrateName]) -> QueryResult<Vec<CrateName>> {
    let canonical: Vec<_> = names.iter().map(|name| name.canonical()).collect();
    crates::table
        .filter(crates::canonical_name.eq_any(canonical))
        .filter(crates::deleted_at.is_null())
        .select(crates::name)
        .load(connection)
}

/// The ids of the crates, including deleted ones, that have one of these names in any spelling.
pub fn ids_like(connection: &mut PgConnection, names: &[&CrateName]) -> QueryResult<Vec<i32>> {
    let canonical: Vec<_> = names.iter().map(|name| name.canonical()).collect();
    crates::table.filter(crates::canonical_name.eq_any(canonical)).select(crates::id).load(connection)
}

/// Finds a crate and locks its row until the transaction ends. Every transaction that writes a crate's versions or
/// owners takes this lock first, so that they have an order, which is also the order of the ids of versions and jobs.
pub fn find_and_lock(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Option<Crate>> {
    crates::table
        .filter(crates::canonical_name.eq(name.canonical()))
        .select(Crate::as_select())
        .for_no_key_update()
        .first(connection)
        .optional()
}

/// Finds and locks a crate, after creating it if the name is free. Of two transactions that create one name at the same
/// time, the second waits at the unique index and then finds the first one's crate.
pub fn ensure_and_lock(connection: &mut PgConnection, name: &CrateName) -> QueryResult<(Crate, Origin)> {
    let created = diesel::insert_into(crates::table)
        .values(crates::name.eq(name))
        .on_conflict_do_nothing()
        .returning(Crate::as_returning())
        .get_result(connection)
        .optional()?;
    if let Some(created) = created {
        return Ok((created, Origin::Created));
    }
    let mut found = find_and_lock(connection, name)?.ok_or(diesel::NotFound)?;
    if !found.deletion.frees_the_name() {
        return Ok((found, Origin::Existing));
    }
    found.deletion = crate_deletion::revive(connection, found.id)?;
    Ok((found, Origin::Revived))
}

/// Locks the rows of several crates in the order of their ids, so that two such transactions do not deadlock.
pub fn lock_all(connection: &mut PgConnection, ids: &[i32]) -> QueryResult<Vec<i32>> {
    crates::table
        .filter(crates::id.eq_any(ids))
        .order(crates::id)
        .select(crates::id)
        .for_no_key_update()
        .load(connection)
}

/// Sets the time of a crate's creation.
pub fn set_created_at(connection: &mut PgConnection, crate_id: i32, at: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(crates::table.find(crate_id)).set(crates::created_at.eq(at)).execute(connection).map(drop)
}
