//! The dependencies of versions.

use diesel::prelude::*;

use crate::database::schema::dependencies;

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
