//! The dependents of a crate of this registry.
//!
//! `crate_dependents` has, for each crate, the names that its default version depends on. A trigger writes it when the
//! default version changes.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use super::dependencies::StoredDependency;
use crate::database::registry_counts;
use crate::database::schema::{crates, dependencies, versions};
use crate::package::CrateName;
use crate::statement::statement;

/// The crates whose default version depends on a crate of this registry, the most downloaded first, and their number. A
/// dependent that names the crate several times, for example for several targets, is listed once.
pub fn of_default_versions(
    connection: &mut PgConnection,
    name: &CrateName,
    limit: i64,
    offset: i64,
) -> QueryResult<(Vec<StoredDependency>, i64)> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Integer)]
        crate_id: i32,
    }
    let total = registry_counts::dependents(connection, &name.canonical())?;
    // Of the crates by downloads, a crate with many dependents has some among the first; few dependents are sorted. Which
    // of the two it is, the planner knows from its statistics, so it has to see the name: the statement is planned each time,
    // and has no more tables than that needs.
    let found: Vec<Found> = diesel::sql_query(
        "SELECT crate_id FROM crate_downloads JOIN crate_dependents USING (crate_id)
         WHERE canonical_name = $1 AND shown ORDER BY downloads DESC, crate_id LIMIT $2 OFFSET $3",
    )
    .bind::<Text, _>(name.canonical())
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(offset)
    .load(connection)?;
    let ids: Vec<i32> = found.iter().map(|one| one.crate_id).collect();
    let mut rows: Vec<(i32, StoredDependency)> = dependencies::table
        .inner_join(crates::table.on(crates::default_version_id.eq(dependencies::version_id.nullable())))
        .filter(crates::id.eq_any(&ids))
        .filter(dependencies::canonical_name.eq(name.canonical()))
        .filter(dependencies::registry.is_null())
        .order((crates::id, dependencies::id))
        .distinct_on(crates::id)
        .select((crates::id, StoredDependency::as_select()))
        .load(connection)?;
    rows.sort_by_key(|(crate_id, _)| ids.iter().position(|id| id == crate_id));
    Ok((rows.into_iter().map(|(_, row)| row).collect(), total))
}

/// The crates of which these are the default versions, with their descriptions, by the versions' ids.
pub fn crates_of_defaults(
    connection: &mut PgConnection,
    version_ids: &[i32],
) -> QueryResult<Vec<(i32, CrateName, Option<String>)>> {
    // By the versions' crates: there is no index on the default versions.
    crates::table
        .inner_join(versions::table)
        .filter(versions::id.eq_any(version_ids))
        .filter(crates::default_version_id.eq(versions::id.nullable()))
        .select((versions::id, crates::name, crates::description))
        .load(connection)
}

/// Writes the dependents anew that a crate is one of, after the dependencies of its default version were replaced. The caller
/// holds the lock of the crate's row.
pub fn follow(connection: &mut PgConnection, crate_id: i32) -> QueryResult<()> {
    statement("SELECT follow_dependencies(id, default_version_id) FROM crates WHERE id = $1")
        .bind::<Integer, _>(crate_id)
        .execute(connection)
        .map(drop)
}

/// The other crates of this registry of which a version depends on a crate, by name: the first `limit`, and their number.
/// Yanked versions count, because lock files may name them; versions that are to be deleted do not.
pub fn dependent_crates(
    connection: &mut PgConnection,
    name: &CrateName,
    limit: i64,
) -> QueryResult<(Vec<CrateName>, i64)> {
    macro_rules! dependents {
        () => {
            crates::table.filter(crates::canonical_name.ne(name.canonical())).filter(
                crates::id.eq_any(
                    dependencies::table
                        .inner_join(versions::table)
                        .filter(dependencies::canonical_name.eq(name.canonical()))
                        .filter(dependencies::registry.is_null())
                        .filter(versions::deletion_requested_at.is_null())
                        .select(versions::crate_id),
                ),
            )
        };
    }
    let total: i64 = dependents!().count().get_result(connection)?;
    let first = dependents!().order(crates::name).select(crates::name).limit(limit).load(connection)?;
    Ok((first, total))
}
