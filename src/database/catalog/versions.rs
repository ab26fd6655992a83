//! Versions: their desired state, which requests write, and their state in the index, which jobs write.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Text};

use super::index_files::{self, NOT_AS_DESIRED};
use crate::database::schema::{crates, versions};
use crate::package::{Checksum, CrateName, Version};
use crate::statement::statement;

/// The state of a version.
#[derive(Queryable, Selectable, Identifiable, Clone, Debug)]
#[diesel(table_name = versions)]
pub struct VersionStatus {
    pub id: i32,
    pub num: Version,
    pub checksum: Checksum,
    /// The size of the crate file in bytes.
    pub size: i64,
    pub desired_yanked: bool,
    /// None until the version is in the index.
    pub effective_yanked: Option<bool>,
    pub commit_id: Option<String>,
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
    /// The reason of its deletion, if that was requested.
    pub deletion_reason: Option<String>,
}

impl VersionStatus {
    /// `queued`, `published` or `deleted`.
    pub fn state(&self) -> &'static str {
        match (&self.deletion_reason, self.effective_yanked) {
            (Some(_), _) => "deleted",
            (None, Some(_)) => "published",
            (None, None) => "queued",
        }
    }
}

/// Finds the version with this number, ignoring build metadata.
pub fn find(connection: &mut PgConnection, crate_id: i32, num: &Version) -> QueryResult<Option<VersionStatus>> {
    versions::table
        .filter(versions::crate_id.eq(crate_id))
        .filter(versions::num_without_build.eq(num.without_build()))
        .select(VersionStatus::as_select())
        .first(connection)
        .optional()
}

/// A line of a crate's index file in its desired state.
#[derive(Queryable, Clone, Debug)]
pub struct DesiredLine {
    pub crate_id: i32,
    pub crate_name: CrateName,
    pub version_id: i32,
    pub num: Version,
    pub index_line: String,
    pub yanked: bool,
    /// Whether the line is to be removed.
    pub deleted: bool,
    /// The release set with which it is written, if the version is not as desired.
    pub release_set: Option<i32>,
}

/// All desired lines of these crates in one snapshot, those of each crate in the order of publication.
pub fn desired_lines(connection: &mut PgConnection, crate_ids: &[i32]) -> QueryResult<Vec<DesiredLine>> {
    versions::table
        .inner_join(crates::table)
        .filter(versions::crate_id.eq_any(crate_ids))
        .order((versions::crate_id, versions::id))
        .select((
            versions::crate_id,
            crates::name,
            versions::id,
            versions::num,
            versions::index_line,
            versions::desired_yanked,
            versions::deletion_requested_at.is_not_null(),
            sql::<Nullable<Integer>>(&format!("CASE WHEN {NOT_AS_DESIRED} THEN versions.release_set_id END")),
        ))
        .load(connection)
}

/// Requests the deletion of a version; false if it was already requested.
pub fn request_deletion(connection: &mut PgConnection, id: i32, reason: &str) -> QueryResult<bool> {
    diesel::update(versions::table.find(id).filter(versions::deletion_requested_at.is_null()))
        .set((versions::deletion_requested_at.eq(diesel::dsl::now), versions::deletion_reason.eq(reason)))
        .execute(connection)
        .map(|changed| changed > 0)
}

/// Whether the deletion of a version was requested.
pub fn is_deleted(connection: &mut PgConnection, id: i32) -> QueryResult<bool> {
    versions::table.find(id).select(versions::deletion_requested_at.is_not_null()).first(connection)
}

/// Marks versions as deleted from the index, and removes their metadata: README, description, authors and the rest of
/// what the client sent, and the message of their yank. Number, checksum and index line stay. Returns the ids and files of the versions that were not
/// marked before.
pub fn note_deleted(connection: &mut PgConnection, ids: &[i32]) -> QueryResult<Vec<(i32, Checksum)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    diesel::update(versions::table.filter(versions::id.eq_any(ids)).filter(versions::state.ne("deleted")))
        .set((
            versions::state.eq("deleted"),
            versions::effective_yanked.eq(None::<bool>),
            versions::metadata.eq(serde_json::json!({})),
            versions::manifest.eq(serde_json::json!({})),
            versions::linecounts.eq(None::<serde_json::Value>),
            versions::yank_message.eq(None::<String>),
        ))
        .returning((versions::id, versions::checksum))
        .get_results(connection)
}

/// Removes the metadata of versions that an older program deleted without removing it; returns their number.
pub fn strip_deleted(connection: &mut PgConnection) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE versions SET metadata = '{}', manifest = '{}'
         WHERE state = 'deleted' AND (metadata <> '{}' OR manifest <> '{}')",
    )
    .execute(connection)
}

/// Whether any version is in the index.
pub fn any_shown(connection: &mut PgConnection) -> QueryResult<bool> {
    let shown = versions::table.filter(versions::effective_yanked.is_not_null());
    diesel::select(diesel::dsl::exists(shown)).get_result(connection)
}

/// The user who published a version.
pub fn created_by(connection: &mut PgConnection, id: i32) -> QueryResult<Option<i32>> {
    versions::table.find(id).select(versions::created_by).first(connection)
}

/// Sets the commit that has a version, if it is in the index.
pub fn set_commit(connection: &mut PgConnection, version_id: i32, commit: &str) -> QueryResult<()> {
    diesel::update(versions::table.find(version_id).filter(versions::commit_id.is_not_null()))
        .set(versions::commit_id.eq(commit))
        .execute(connection)
        .map(drop)
}

/// Sets the size of a version's crate file, in bytes.
pub fn set_size(connection: &mut PgConnection, version_id: i32, size: i64) -> QueryResult<()> {
    diesel::update(versions::table.find(version_id)).set(versions::size.eq(size)).execute(connection).map(drop)
}

/// Sets the desired yank state of a version, without a message. The caller holds the lock of the crate's row.
pub fn set_desired_yanked(connection: &mut PgConnection, version_id: i32, yanked: bool) -> QueryResult<()> {
    diesel::update(versions::table.find(version_id))
        .set((versions::desired_yanked.eq(yanked), versions::yank_message.eq(None::<String>)))
        .execute(connection)
        .map(drop)
}

/// Sets the index line of a version, and these fields of the part of its manifest that the API returns. The
/// caller holds the lock of the crate's row.
pub fn set_index_line(
    connection: &mut PgConnection,
    version_id: i32,
    line: &str,
    about: &serde_json::Value,
) -> QueryResult<usize> {
    index_files::forget_of_version(connection, version_id)?;
    statement("UPDATE versions SET index_line = $1, manifest = manifest || $2 WHERE id = $3")
        .bind::<Text, _>(line)
        .bind::<diesel::sql_types::Jsonb, _>(about)
        .bind::<Integer, _>(version_id)
        .execute(connection)
}

/// Records that a version's dependencies on crates.io count as dependencies on this registry, if its rows have all of them
/// there already; true if that was not recorded before.
pub fn record_crates_io_here(connection: &mut PgConnection, version_id: i32, crates_io: &str) -> QueryResult<bool> {
    statement(
        "UPDATE versions SET crates_io_here = true WHERE id = $1 AND NOT crates_io_here
         AND EXISTS (SELECT FROM dependencies WHERE version_id = $1 AND registry IS NULL)
         AND NOT EXISTS (SELECT FROM dependencies WHERE version_id = $1 AND registry = $2)",
    )
    .bind::<Integer, _>(version_id)
    .bind::<Text, _>(crates_io)
    .execute(connection)
    .map(|changed| changed > 0)
}
