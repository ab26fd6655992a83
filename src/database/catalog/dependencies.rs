//! The dependencies of versions, and the dependents of crates.

use diesel::prelude::*;

use crate::database::schema::{crates, dependencies, versions};
use crate::package::CrateName;

/// A stored dependency of a version.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = dependencies)]
pub struct StoredDependency {
    pub id: i32,
    pub version_id: i32,
    /// The name of the crate, as the dependent spells it.
    pub name: String,
    /// The key in the manifest if it differs from the name.
    pub rename: Option<String>,
    pub req: String,
    /// `normal`, `build` or `dev`.
    pub kind: String,
    pub optional: bool,
    pub default_features: bool,
    pub features: Vec<String>,
    pub target: Option<String>,
    /// The index URL of the crate's registry; None for this registry.
    pub registry: Option<String>,
}

/// Removes the dependencies of a version, before others are inserted.
pub fn remove_all(connection: &mut PgConnection, version_id: i32) -> QueryResult<usize> {
    diesel::delete(dependencies::table.filter(dependencies::version_id.eq(version_id))).execute(connection)
}

/// The dependencies of a version, in the order of the manifest.
pub fn of_version(connection: &mut PgConnection, version_id: i32) -> QueryResult<Vec<StoredDependency>> {
    dependencies::table
        .filter(dependencies::version_id.eq(version_id))
        .order(dependencies::place)
        .select(StoredDependency::as_select())
        .load(connection)
}

/// The crates whose default version depends on a crate of this registry, the most downloaded first, and their number. A
/// dependent that names the crate several times, for example for several targets, is listed once.
pub fn dependents(
    connection: &mut PgConnection,
    name: &CrateName,
    limit: i64,
    offset: i64,
) -> QueryResult<(Vec<StoredDependency>, i64)> {
    use diesel::sql_types::{BigInt, Integer, Text};
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Integer)]
        id: i32,
    }
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        total: i64,
    }
    const DEPENDENTS: &str = "SELECT min(dependencies.id) AS id, crates.id AS crate_id FROM dependencies
         JOIN crates ON crates.default_version_id = dependencies.version_id
         WHERE dependencies.canonical_name = $1 AND dependencies.registry IS NULL
         GROUP BY crates.id";
    let Count { total } = diesel::sql_query(format!("SELECT count(*) AS total FROM ({DEPENDENTS}) AS dependents"))
        .bind::<Text, _>(name.canonical())
        .get_result(connection)?;
    let found: Vec<Found> = diesel::sql_query(format!(
        "SELECT dependents.id FROM ({DEPENDENTS}) AS dependents LEFT JOIN crate_downloads USING (crate_id)
         ORDER BY coalesce(downloads, 0) DESC, crate_id LIMIT $2 OFFSET $3"
    ))
    .bind::<Text, _>(name.canonical())
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(offset)
    .load(connection)?;
    let ids: Vec<i32> = found.iter().map(|one| one.id).collect();
    let mut rows: Vec<StoredDependency> = dependencies::table
        .filter(dependencies::id.eq_any(&ids))
        .select(StoredDependency::as_select())
        .load(connection)?;
    rows.sort_by_key(|row| ids.iter().position(|id| *id == row.id));
    Ok((rows, total))
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
