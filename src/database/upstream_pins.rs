//! Versions of upstreams whose crate files stay in the cache, however long they are not used.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::database::schema::upstream_pins;
use crate::package::{Checksum, CrateName, Version};

/// A pin.
#[derive(Queryable, Selectable, Clone, Debug, PartialEq, Eq)]
#[diesel(table_name = upstream_pins)]
pub struct Pin {
    pub upstream: String,
    pub crate_name: CrateName,
    pub version: Version,
    /// That of the file which is kept.
    pub checksum: Checksum,
    /// A reason, or where the pin comes from, such as a lock file.
    pub reason: String,
    /// Who made it.
    pub actor: String,
    pub created_at: DateTime<Utc>,
}

/// A version to pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPin<'a> {
    pub upstream: &'a str,
    pub name: &'a CrateName,
    pub version: &'a Version,
    pub checksum: Checksum,
    pub reason: &'a str,
    pub actor: &'a str,
}

/// All pins, or those of an upstream, by crate and version.
pub fn list(connection: &mut PgConnection, upstream: Option<&str>) -> QueryResult<Vec<Pin>> {
    let mut query = upstream_pins::table
        .order((upstream_pins::upstream, upstream_pins::canonical_name, upstream_pins::version))
        .select(Pin::as_select())
        .into_boxed();
    if let Some(upstream) = upstream {
        query = query.filter(upstream_pins::upstream.eq(upstream.to_owned()));
    }
    query.load(connection)
}

/// Pins a version; false if it is pinned already, with the same checksum.
pub fn add(connection: &mut PgConnection, pin: &NewPin<'_>) -> QueryResult<bool> {
    use diesel::query_dsl::methods::FilterDsl as _;
    let added = diesel::insert_into(upstream_pins::table)
        .values((
            upstream_pins::upstream.eq(pin.upstream),
            upstream_pins::canonical_name.eq(pin.name.canonical()),
            upstream_pins::crate_name.eq(pin.name),
            upstream_pins::version.eq(pin.version),
            upstream_pins::checksum.eq(pin.checksum),
            upstream_pins::reason.eq(pin.reason),
            upstream_pins::actor.eq(pin.actor),
        ))
        .on_conflict((upstream_pins::upstream, upstream_pins::canonical_name, upstream_pins::version))
        .do_update()
        .set((
            upstream_pins::checksum.eq(pin.checksum),
            upstream_pins::reason.eq(pin.reason),
            upstream_pins::actor.eq(pin.actor),
            upstream_pins::created_at.eq(diesel::dsl::now),
        ))
        .filter(upstream_pins::checksum.ne(pin.checksum))
        .execute(connection)?;
    Ok(added > 0)
}

/// Removes the pin of a version, or those of all versions of a crate.
pub fn remove(
    connection: &mut PgConnection,
    (upstream, name): (&str, &CrateName),
    version: Option<&Version>,
) -> QueryResult<Vec<Pin>> {
    let of_crate = upstream_pins::upstream.eq(upstream).and(upstream_pins::canonical_name.eq(name.canonical()));
    let pins = diesel::delete(upstream_pins::table).filter(of_crate);
    match version {
        Some(version) => {
            pins.filter(upstream_pins::version.eq(version)).returning(Pin::as_returning()).get_results(connection)
        }
        None => pins.returning(Pin::as_returning()).get_results(connection),
    }
}

/// The checksums of all pinned files.
pub fn checksums(connection: &mut PgConnection) -> QueryResult<HashSet<Checksum>> {
    let all = upstream_pins::table.select(upstream_pins::checksum).distinct().load::<Checksum>(connection)?;
    Ok(all.into_iter().collect())
}

/// Those of these checksums that are pinned. Until the end of the transaction nothing is pinned anew.
pub fn pinned_among(connection: &mut PgConnection, checksums: &[Checksum]) -> QueryResult<HashSet<Checksum>> {
    diesel::sql_query("LOCK TABLE upstream_pins IN SHARE MODE").execute(connection)?;
    let found = upstream_pins::table
        .filter(upstream_pins::checksum.eq_any(checksums))
        .select(upstream_pins::checksum)
        .load::<Checksum>(connection)?;
    Ok(found.into_iter().collect())
}
