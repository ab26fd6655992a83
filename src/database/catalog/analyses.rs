//! Versions whose crate files are to be analysed, and the results.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Jsonb, Nullable, Text};

use crate::database::schema::pending_analyses;
use crate::package::analysis::Analysis;
use crate::package::{Checksum, CrateName, Version};
use crate::statement::statement;

/// Older versions that become pending at once.
const PORTION: i32 = 100;

/// A version whose crate file is to be analysed.
#[derive(QueryableByName, Clone, Debug)]
pub struct PendingAnalysis {
    #[diesel(sql_type = Integer)]
    pub version_id: i32,
    #[diesel(sql_type = Text)]
    pub name: CrateName,
    #[diesel(sql_type = Text)]
    pub num: Version,
    #[diesel(sql_type = Binary)]
    pub checksum: Checksum,
    /// The size of the crate file in bytes.
    #[diesel(sql_type = BigInt)]
    pub size: i64,
    /// The index no longer shows the version, and its file is removed.
    #[diesel(sql_type = Bool)]
    pub is_deleted: bool,
}

/// Whether any version is to be analysed.
pub fn any_left(connection: &mut PgConnection) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Left {
        #[diesel(sql_type = Bool)]
        any: bool,
    }
    statement(
        "SELECT EXISTS (SELECT FROM pending_analyses) OR EXISTS (SELECT FROM analysis_progress WHERE versions_below > 0)
             AS any",
    )
    .get_result::<Left>(connection)
    .map(|left| left.any)
}

/// The newest pending version that no other process analyses. It is locked until the transaction ends.
pub fn claim(connection: &mut PgConnection) -> QueryResult<Option<PendingAnalysis>> {
    statement(
        "SELECT version_id, crates.name, versions.num, versions.checksum, versions.size,
                versions.state = 'deleted' AS is_deleted
         FROM pending_analyses JOIN versions ON versions.id = version_id JOIN crates ON crates.id = versions.crate_id
         ORDER BY version_id DESC LIMIT 1 FOR UPDATE OF pending_analyses SKIP LOCKED",
    )
    .get_result(connection)
    .optional()
}

/// Stores the result, or that there is none; the version is no longer pending. What a publish has read of the package
/// stays as it is.
pub fn finish(connection: &mut PgConnection, version_id: i32, result: Option<&Analysis>) -> QueryResult<()> {
    if let Some(Analysis { targets, lines }) = result {
        let lines = lines.as_ref().map(serde_json::to_value).transpose();
        let (lines, targets) = (lines.unwrap_or_default(), serde_json::to_value(targets).unwrap_or_default());
        statement(
            "UPDATE versions
             SET linecounts = $1, manifest = CASE WHEN manifest ? 'has_lib' THEN manifest ELSE manifest || $2 END
             WHERE id = $3 AND state <> 'deleted'",
        )
        .bind::<Nullable<Jsonb>, _>(lines)
        .bind::<Jsonb, _>(targets)
        .bind::<Integer, _>(version_id)
        .execute(connection)?;
    }
    diesel::delete(pending_analyses::table.find(version_id)).execute(connection).map(drop)
}

/// Makes a portion of the versions pending that are older than the list of pending ones, the newest first; false if none
/// is left.
pub fn add_older(connection: &mut PgConnection) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Added {
        #[diesel(sql_type = Bool)]
        any: bool,
    }
    statement(
        "WITH progress AS (
             SELECT versions_below FROM analysis_progress WHERE versions_below > 0 FOR UPDATE
         ), older AS (
             SELECT id FROM versions WHERE id < (SELECT versions_below FROM progress) ORDER BY id DESC LIMIT $1
         ), moved AS (
             UPDATE analysis_progress SET versions_below = coalesce((SELECT min(id) FROM older), 0) FROM progress
         ), added AS (
             INSERT INTO pending_analyses (version_id) SELECT id FROM older ON CONFLICT DO NOTHING
         )
         SELECT EXISTS (SELECT FROM older) AS any",
    )
    .bind::<Integer, _>(PORTION)
    .get_result::<Added>(connection)
    .map(|added| added.any)
}
