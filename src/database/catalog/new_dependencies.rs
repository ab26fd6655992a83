//! New rows of dependencies: of a publish, of a repair and of an import.

use diesel::prelude::*;
use diesel::sql_types::{Integer, Jsonb};
use serde_json::{Value, json};

use crate::package::dependency::{Dependency, DependencyKind};
use crate::statement::statement;

/// SQL: the dependencies of `asked.dependencies` as rows, each with its `place`.
pub(super) const ROWS: &str = "
    jsonb_to_recordset(asked.dependencies) AS dependency (
        place integer, name text, rename text, req text, kind text, optional boolean, default_features boolean,
        features text[], target text, registry text)";

/// SQL: the columns of these rows, which are those of the table.
pub(super) const COLUMNS: &str =
    "place, name, rename, req, kind, optional, default_features, features, target, registry";

/// The dependencies of a version for a statement with [`ROWS`]: one parameter, however many there are.
pub(super) fn rows(all: &[Dependency]) -> Value {
    let row = |(place, one): (usize, &Dependency)| {
        json!({
            "place": place,
            "name": one.name.as_str(),
            "rename": one.rename,
            "req": one.requirement.to_string(),
            "kind": kind(one.kind),
            "optional": one.optional,
            "default_features": one.default_features,
            "features": one.features,
            "target": one.target,
            "registry": one.registry,
        })
    };
    all.iter().enumerate().map(row).collect()
}

/// Inserts the dependencies of a version that is not published but restored.
pub fn insert(connection: &mut PgConnection, version_id: i32, all: &[Dependency]) -> QueryResult<usize> {
    if all.is_empty() {
        return Ok(0);
    }
    statement(format!(
        "WITH asked AS (SELECT $1 AS version_id, $2 AS dependencies)
         INSERT INTO dependencies (version_id, {COLUMNS})
         SELECT asked.version_id, dependency.* FROM asked, {ROWS} ORDER BY place"
    ))
    .bind::<Integer, _>(version_id)
    .bind::<Jsonb, _>(rows(all))
    .execute(connection)
}

fn kind(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Normal => "normal",
        DependencyKind::Build => "build",
        DependencyKind::Dev => "dev",
    }
}
