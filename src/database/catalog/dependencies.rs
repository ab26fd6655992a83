//! The dependencies of versions.

use diesel::prelude::*;

use crate::database::schema::dependencies;
use crate::package::dependency::{Dependency, DependencyKind};

/// The most rows of one statement. PostgreSQL accepts 65,535 parameters, which a manifest with many dependencies
/// exceeds.
const CHUNK: usize = 1000;

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

/// Inserts the dependencies of a new version.
pub fn insert(connection: &mut PgConnection, version_id: i32, all: &[Dependency]) -> QueryResult<usize> {
    let mut inserted = 0;
    for (chunk, some) in all.chunks(CHUNK).enumerate() {
        let rows: Vec<_> = some
            .iter()
            .enumerate()
            .map(|(place, one)| {
                (
                    dependencies::version_id.eq(version_id),
                    dependencies::place.eq(i32::try_from(chunk * CHUNK + place).unwrap_or(i32::MAX)),
                    dependencies::name.eq(one.name.as_str()),
                    dependencies::rename.eq(one.rename.as_deref()),
                    dependencies::req.eq(one.requirement.to_string()),
                    dependencies::kind.eq(kind(one.kind)),
                    dependencies::optional.eq(one.optional),
                    dependencies::default_features.eq(one.default_features),
                    dependencies::features.eq(&one.features),
                    dependencies::target.eq(one.target.as_deref()),
                    dependencies::registry.eq(one.registry.as_deref()),
                )
            })
            .collect();
        inserted += diesel::insert_into(dependencies::table).values(rows).execute(connection)?;
    }
    Ok(inserted)
}

/// Replaces the dependencies of a version. [`super::dependents::follow`] has to be called for its crate afterwards.
pub fn replace(connection: &mut PgConnection, version_id: i32, all: &[Dependency]) -> QueryResult<usize> {
    diesel::delete(dependencies::table.filter(dependencies::version_id.eq(version_id))).execute(connection)?;
    insert(connection, version_id, all)
}

fn kind(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Normal => "normal",
        DependencyKind::Build => "build",
        DependencyKind::Dev => "dev",
    }
}

/// The dependencies of a version, in the order of the manifest.
pub fn of_version(connection: &mut PgConnection, version_id: i32) -> QueryResult<Vec<StoredDependency>> {
    dependencies::table
        .filter(dependencies::version_id.eq(version_id))
        .order(dependencies::place)
        .select(StoredDependency::as_select())
        .load(connection)
}
