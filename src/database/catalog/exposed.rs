//! Dependencies of crates' default versions on crates by name, here or in other registries. For questions that are rare.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};

use crate::package::{CrateName, Version};

/// A dependency of a default version.
#[derive(QueryableByName, Clone, Debug)]
pub struct Exposed {
    #[diesel(sql_type = Integer)]
    pub crate_id: i32,
    #[diesel(sql_type = Text)]
    pub crate_name: CrateName,
    #[diesel(sql_type = Text)]
    pub num: Version,
    /// The crate that it depends on, as the dependent spells it.
    #[diesel(sql_type = Text)]
    pub dependency: CrateName,
    #[diesel(sql_type = Text)]
    pub req: String,
    /// `normal`, `build` or `dev`.
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Bool)]
    pub optional: bool,
}

/// The registries that dependencies on crates of a name come from, without this one.
pub fn registries(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Vec<String>> {
    use crate::database::schema::dependencies;
    dependencies::table
        .filter(dependencies::canonical_name.eq(name.canonical()))
        .filter(dependencies::registry.is_not_null())
        .distinct()
        .select(dependencies::registry.assume_not_null())
        .load(connection)
}

/// Who depends on crates of these names, in any spelling, in one of these registries, or here: the first `limit` by name.
pub fn dependents(
    connection: &mut PgConnection,
    canonical_names: &[String],
    registries: Option<&[String]>,
    limit: i64,
) -> QueryResult<Vec<Exposed>> {
    // Each way has an index of its own.
    let of_registry = if registries.is_some() {
        "registry IS NOT NULL AND registry = ANY($2)"
    } else {
        "registry IS NULL AND $2 IS NULL"
    };
    // By the versions' crates: there is no index on the default versions.
    diesel::sql_query(format!(
        "SELECT crates.id AS crate_id, crates.name AS crate_name, versions.num, dependencies.name AS dependency, req, kind, optional
         FROM dependencies JOIN versions ON versions.id = version_id
         JOIN crates ON crates.id = versions.crate_id AND crates.default_version_id = versions.id
         WHERE dependencies.canonical_name = ANY($1) AND {of_registry} AND crates.deleted_at IS NULL
         ORDER BY crates.name, dependencies.place LIMIT $3"
    ))
    .bind::<Array<Text>, _>(canonical_names)
    .bind::<Nullable<Array<Text>>, _>(registries)
    .bind::<BigInt, _>(limit)
    .load(connection)
}
