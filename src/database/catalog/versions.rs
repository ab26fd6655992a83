//! Versions: what is wanted of each (written by requests) and what the index shows (written by jobs).

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::crate_files;
use crate::database::about::About;
use crate::database::schema::{crates, versions};
use crate::package::{Checksum, CrateName, Version};
use crate::statement::statement;

/// Where a version stands between being accepted and being in the index.
#[derive(Queryable, Selectable, Identifiable, Clone, Debug)]
#[diesel(table_name = versions)]
pub struct VersionStatus {
    pub id: i32,
    pub num: Version,
    pub checksum: Checksum,
    /// Bytes of the crate file.
    pub size: i64,
    pub desired_yanked: bool,
    /// None until the version is in the index.
    pub effective_yanked: Option<bool>,
    pub commit_id: Option<String>,
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
    /// Why it was deleted, or is about to be.
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

/// A version about to be accepted.
pub struct NewVersion<'a> {
    pub crate_id: i32,
    pub num: &'a Version,
    pub checksum: Checksum,
    pub size: i64,
    pub index_line: &'a str,
    pub metadata: &'a serde_json::Value,
    pub about: &'a About,
    pub created_by: i32,
}

impl NewVersion<'_> {
    /// Adds the version as queued; None if the crate has it, whatever its build metadata. From here to the end of the
    /// transaction nobody removes its crate file.
    pub fn insert(&self, connection: &mut PgConnection) -> QueryResult<Option<i32>> {
        let hold = crate_files::pg_advisory_xact_lock_shared(crate_files::CLASS, crate_files::key(self.checksum));
        let inserted: Option<(i32, Option<String>)> = diesel::insert_into(versions::table)
            .values((
                versions::crate_id.eq(self.crate_id),
                versions::num.eq(self.num),
                versions::num_without_build.eq(self.num.without_build()),
                versions::checksum.eq(self.checksum),
                versions::size.eq(self.size),
                versions::index_line.eq(self.index_line),
                versions::metadata.eq(self.metadata),
                versions::manifest.eq(self.about.to_json()),
                versions::created_by.eq(self.created_by),
            ))
            .on_conflict_do_nothing()
            .returning((versions::id, hold))
            .get_result(connection)
            .optional()?;
        Ok(inserted.map(|(id, _)| id))
    }
}

/// The version that has this number, whatever its build metadata.
pub fn find(connection: &mut PgConnection, crate_id: i32, num: &Version) -> QueryResult<Option<VersionStatus>> {
    versions::table
        .filter(versions::crate_id.eq(crate_id))
        .filter(versions::num_without_build.eq(num.without_build()))
        .select(VersionStatus::as_select())
        .first(connection)
        .optional()
}

/// What a publish meets among the versions of its crate.
#[derive(Clone, Debug)]
pub struct Met {
    /// The version that has the number, whatever its build metadata.
    pub same: Option<VersionStatus>,
    /// Bytes of the lines that the crate's file in the index has, or is to have.
    pub index_bytes: u64,
}

/// FetchRequests in one statement for the version that has this number, and for the size of the crate's index file.
pub fn meet(connection: &mut PgConnection, crate_id: i32, num: &Version) -> QueryResult<Met> {
    use diesel::dsl::{count_star, sum};
    diesel::define_sql_function!(fn octet_length(text: diesel::sql_types::Text) -> diesel::sql_types::Integer);
    let lines = diesel::alias!(versions as lines);
    let of_crate = lines
        .filter(lines.field(versions::crate_id).eq(crate_id))
        .filter(lines.field(versions::deletion_requested_at).is_null());
    let (same, bytes, breaks): (Option<VersionStatus>, Option<i64>, Option<i64>) = crates::table
        .find(crate_id)
        .left_join(
            versions::table
                .on(versions::crate_id.eq(crates::id).and(versions::num_without_build.eq(num.without_build()))),
        )
        .select((
            Option::<VersionStatus>::as_select(),
            of_crate.select(sum(octet_length(lines.field(versions::index_line)))).single_value(),
            of_crate.select(count_star()).single_value(),
        ))
        .first(connection)?;
    let size = bytes.unwrap_or(0) + breaks.unwrap_or(0);
    Ok(Met { same, index_bytes: u64::try_from(size).unwrap_or(0) })
}

/// The version of exactly this name and number, and its crate file, unless it was deleted.
pub fn crate_file(
    connection: &mut PgConnection,
    name: &CrateName,
    num: &Version,
) -> QueryResult<Option<(i32, Checksum)>> {
    versions::table
        .inner_join(crates::table)
        .filter(crates::canonical_name.eq(name.canonical()))
        .filter(versions::num_without_build.eq(num.without_build()))
        .filter(versions::deletion_requested_at.is_null())
        .select((versions::num, (versions::id, versions::checksum)))
        .first::<(Version, (i32, Checksum))>(connection)
        .optional()
        .map(|found| found.filter(|(stored, _)| stored == num).map(|(_, file)| file))
}

/// Writes whether a version is wanted yanked.
pub fn request_yank_state(connection: &mut PgConnection, id: i32, yanked: bool) -> QueryResult<usize> {
    diesel::update(versions::table.find(id)).set(versions::desired_yanked.eq(yanked)).execute(connection)
}

/// One line of a crate's index file as it is wanted.
#[derive(Queryable, Clone, Debug)]
pub struct DesiredLine {
    pub crate_id: i32,
    pub crate_name: CrateName,
    pub version_id: i32,
    pub num: Version,
    pub index_line: String,
    pub yanked: bool,
    /// Not wanted in the index any more.
    pub deleted: bool,
}

/// What is wanted of the versions of these crates, each crate's in the order of publication, in one snapshot.
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
        ))
        .load(connection)
}

/// What the index shows of one version.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    pub version_id: i32,
    pub yanked: bool,
    /// A commit of the index that shows it.
    pub commit_id: &'a str,
}

/// Writes what the index shows. Rows that say so already are not touched.
pub fn note_shown(connection: &mut PgConnection, shown: &[Shown<'_>]) -> QueryResult<usize> {
    use diesel::sql_types::{Array, Bool, Integer, Text};
    statement(
        "UPDATE versions
         SET state = 'published', effective_yanked = shown.yanked,
             commit_id = CASE WHEN versions.state = 'published' THEN versions.commit_id ELSE shown.commit_id END,
             published_at = coalesce(versions.published_at, clock_timestamp())
         FROM unnest($1, $2, $3) AS shown (id, yanked, commit_id)
         WHERE versions.id = shown.id AND versions.effective_yanked IS DISTINCT FROM shown.yanked",
    )
    .bind::<Array<Integer>, _>(shown.iter().map(|one| one.version_id).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(shown.iter().map(|one| one.yanked).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(shown.iter().map(|one| one.commit_id).collect::<Vec<_>>())
    .execute(connection)
}

/// Writes that a version is not wanted any more; false if that was so.
pub fn want_deleted(connection: &mut PgConnection, id: i32, reason: &str) -> QueryResult<bool> {
    diesel::update(versions::table.find(id).filter(versions::deletion_requested_at.is_null()))
        .set((versions::deletion_requested_at.eq(diesel::dsl::now), versions::deletion_reason.eq(reason)))
        .execute(connection)
        .map(|changed| changed > 0)
}

/// Writes that the index shows these versions no longer, and removes what was told of them: README, description, authors and
/// the rest of what the client sent. Number, checksum and index line stay. Answers those for which that is new, with their
/// files.
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
        ))
        .returning((versions::id, versions::checksum))
        .get_results(connection)
}

/// Removes what was told of deleted versions, if a program from before that rule deleted them; returns their number.
pub fn strip_deleted(connection: &mut PgConnection) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE versions SET metadata = '{}', manifest = '{}'
         WHERE state = 'deleted' AND (metadata <> '{}' OR manifest <> '{}')",
    )
    .execute(connection)
}

/// Whether a version that was not deleted has this file.
pub fn is_file_wanted(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<bool> {
    let with_it =
        versions::table.filter(versions::checksum.eq(checksum)).filter(versions::deletion_requested_at.is_null());
    diesel::select(diesel::dsl::exists(with_it)).get_result(connection)
}

/// Whether the index is to show any version.
pub fn any_shown(connection: &mut PgConnection) -> QueryResult<bool> {
    let shown = versions::table.filter(versions::effective_yanked.is_not_null());
    diesel::select(diesel::dsl::exists(shown)).get_result(connection)
}

/// Who published a version.
pub fn created_by(connection: &mut PgConnection, id: i32) -> QueryResult<Option<i32>> {
    versions::table.find(id).select(versions::created_by).first(connection)
}
