//! Writing the effective state of a batch: of its versions, and what follows from them for their crates.

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Jsonb, Text};
use serde::Serialize;
use serde_json::json;

use super::index_files::{Columns, NotedFile};
use super::version_summary::VersionSummary;
use crate::database::schema::{crates, versions};
use crate::package::Version;
use crate::statement::statement;

/// A crate whose row is locked, as it was before the batch.
#[derive(Clone, Debug)]
pub struct LockedCrate {
    pub id: i32,
    pub summary: VersionSummary,
    pub noted: Option<NotedFile>,
}

/// Locks the rows of crates in the order of their ids, like [`crates::lock_all`](super::crates::lock_all), and reads what
/// a note depends on.
pub fn lock(connection: &mut PgConnection, ids: &[i32]) -> QueryResult<Vec<LockedCrate>> {
    let rows: Vec<(i32, VersionSummary, Columns)> = crates::table
        .filter(crates::id.eq_any(ids))
        .order(crates::id)
        .select((
            crates::id,
            VersionSummary::as_select(),
            (crates::index_blob, crates::index_bytes, crates::index_last_id),
        ))
        .for_no_key_update()
        .load(connection)?;
    Ok(rows
        .into_iter()
        .map(|(id, summary, columns)| LockedCrate { id, summary, noted: NotedFile::of(columns) })
        .collect())
}

/// A version of a crate, in the index or not.
#[derive(Queryable, Clone, Debug)]
pub struct VersionState {
    pub crate_id: i32,
    pub id: i32,
    pub num: Version,
    pub effective_yanked: Option<bool>,
}

/// All versions of these crates, those of each in the order of publication.
pub fn all_versions(connection: &mut PgConnection, crate_ids: &[i32]) -> QueryResult<Vec<VersionState>> {
    versions::table
        .filter(versions::crate_id.eq_any(crate_ids))
        .order((versions::crate_id, versions::id))
        .select((versions::crate_id, versions::id, versions::num, versions::effective_yanked))
        .load(connection)
}

/// The state of a version in the index.
#[derive(Clone, Debug)]
pub struct ShownVersion<'a> {
    pub id: i32,
    pub yanked: bool,
    /// A commit of the index with this state.
    pub commit_id: &'a str,
}

/// What is to be described of a crate after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Description {
    /// Nothing: it stays as it is.
    Kept,
    /// The texts of its default version.
    OfTexts,
    /// These, and what follows from its versions.
    OfVersionsAndTexts,
}

/// What a batch notes of a crate.
#[derive(Serialize, Clone, Debug)]
pub struct CrateNote {
    pub id: i32,
    #[serde(flatten)]
    pub file: Option<NotedFile>,
    #[serde(flatten)]
    pub summary: VersionSummary,
    /// Whether the index shows something else of it than before.
    pub is_changed: bool,
    #[serde(skip)]
    pub description: Description,
    /// Whether the index shows its first version, or none any longer.
    #[serde(skip)]
    pub listed: Option<bool>,
}

/// The parts of the statement that notes a batch. `$N` is the next place of a value.
const OF_VERSIONS: &str = "WITH shown AS (
     UPDATE versions
     SET state = 'published', effective_yanked = given.yanked,
         commit_id = CASE WHEN versions.state = 'published' THEN versions.commit_id ELSE given.commit_id END,
         published_at = coalesce(versions.published_at, clock_timestamp())
     FROM unnest($N, $N, $N) AS given (id, yanked, commit_id)
     WHERE versions.id = given.id AND versions.effective_yanked IS DISTINCT FROM given.yanked
 )";
const DESCRIBED: &str = ", described AS (
     INSERT INTO pending_descriptions (crate_id, is_counted) SELECT * FROM unnest($N, $N)
     ON CONFLICT (crate_id) DO UPDATE
     SET generation = pending_descriptions.generation + 1,
         is_counted = pending_descriptions.is_counted AND excluded.is_counted
 )";
const RAISED: &str = ", raised AS (
     UPDATE pending_descriptions SET generation = generation + 1 WHERE crate_id = ANY($N)
 )";
const APPEARED: &str = ", appeared AS (
     INSERT INTO crate_downloads (crate_id, downloads, recent, shown) SELECT unnest($N), 0, 0, true
     ON CONFLICT (crate_id) DO UPDATE SET shown = true WHERE NOT crate_downloads.shown
 )";
const OF_CRATES: &str = " UPDATE crates
 SET (index_blob, index_bytes, index_last_id, max_version, max_stable_version, newest_version, default_version_id,
      version_count, yanked)
     = (given.index_blob, given.index_bytes, given.index_last_id, given.max_version, given.max_stable_version,
        given.newest_version, given.default_version_id, given.version_count, given.yanked),
     updated_at = CASE WHEN given.is_changed THEN now() ELSE crates.updated_at END
 FROM jsonb_to_recordset($N) AS given (
     id integer, index_blob text, index_bytes bigint, index_last_id integer, max_version text, max_stable_version text,
     newest_version text, default_version_id integer, version_count integer, yanked boolean, is_changed boolean)
 WHERE crates.id = given.id";

/// The statement that notes a batch, without the parts that have nothing to do.
fn noting(is_described: bool, is_raised: bool, has_appeared: bool) -> String {
    let described = if is_described { DESCRIBED } else { "" };
    let raised = if is_raised { RAISED } else { "" };
    let appeared = if has_appeared { APPEARED } else { "" };
    let mut text = String::new();
    for (place, part) in [OF_VERSIONS, described, raised, appeared, OF_CRATES].concat().split("$N").enumerate() {
        if place > 0 {
            text.push_str(&format!("${place}"));
        }
        text.push_str(part);
    }
    text
}

/// Writes the effective state, in one statement if no crate disappears. Rows of versions that already have it are not
/// written. The caller holds the locks of the crates' rows.
pub fn note(connection: &mut PgConnection, shown: &[ShownVersion<'_>], of_crates: &[CrateNote]) -> QueryResult<()> {
    if of_crates.is_empty() {
        return Ok(());
    }
    let ids = |chosen: fn(&CrateNote) -> bool| -> Vec<i32> {
        of_crates.iter().filter(|one| chosen(one)).map(|one| one.id).collect()
    };
    let described = ids(|one| one.description != Description::Kept);
    let counted: Vec<bool> = of_crates
        .iter()
        .filter(|one| one.description != Description::Kept)
        .map(|one| one.description == Description::OfTexts)
        .collect();
    // A description of an older state must not be taken for one of this.
    let raised = ids(|one| one.is_changed && one.description == Description::Kept);
    let (appeared, disappeared) = (ids(|one| one.listed == Some(true)), ids(|one| one.listed == Some(false)));
    let text = noting(!described.is_empty(), !raised.is_empty(), !appeared.is_empty());
    let mut writing = statement(text)
        .bind::<Array<Integer>, _>(shown.iter().map(|one| one.id).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(shown.iter().map(|one| one.yanked).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(shown.iter().map(|one| one.commit_id).collect::<Vec<_>>());
    if !described.is_empty() {
        writing = writing.bind::<Array<Integer>, _>(described).bind::<Array<Bool>, _>(counted);
    }
    for ids in [raised, appeared].into_iter().filter(|ids| !ids.is_empty()) {
        writing = writing.bind::<Array<Integer>, _>(ids);
    }
    writing.bind::<Jsonb, _>(json!(of_crates)).execute(connection)?;
    if !disappeared.is_empty() {
        statement("UPDATE crate_downloads SET shown = false WHERE crate_id = ANY($1) AND shown")
            .bind::<Array<Integer>, _>(disappeared)
            .execute(connection)?;
    }
    Ok(())
}
