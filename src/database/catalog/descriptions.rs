//! Describing crates after the answer to a publish: texts, keywords and the search document, from the default version.
//!
//! The job that writes the effective state adds a crate to `pending_descriptions` in the same transaction, so that a kill
//! loses no description. Until then a page is right, but older.
//!
//! One process at a time describes: the holder of [`lock`]. It reads the crates and writes their search documents, which
//! takes most of the time, without the locks of the crates' rows, which publishes wait for. Only then it locks them, and
//! writes the columns of those whose generation is still the one that it has read. The others stay pending. All versions
//! of a crate are read only if the job could not tell what follows from them.
//!
//! An error in a description must not prevent the publication of a version, because its line is already in the index.
//! Therefore every value that goes into a database index is limited in size ([`About`], `words`). If the database
//! rejects a description all the same, the crate is stored without one.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text};
use serde_json::json;

use super::crates;
use super::derived::{Derived, is_refusal};
use super::version_summary::{Shown, VersionSummary};
use crate::database::about::About;
use crate::database::schema::pending_descriptions;
use crate::database::search::{self, Described, categories};
use crate::fault;
use crate::package::Version;
use crate::statement::statement;

/// Crates that are described together.
pub const PORTION: i32 = 100;
/// The number of the advisory lock.
const LOCK: i64 = 0x7375_7065_7265;

/// A crate whose description the database rejected: only its name and its versions are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undescribed {
    pub crate_id: i32,
    pub crate_name: String,
    /// The database's error.
    pub problem: String,
}

/// What one call of [`describe_next`] has done.
#[derive(Clone, Debug, Default)]
pub struct Portion {
    /// The number of crates that were looked at.
    pub crates: usize,
    pub undescribed: Vec<Undescribed>,
}

/// Whether any crate is to be described.
pub fn any_pending(connection: &mut PgConnection) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Pending {
        #[diesel(sql_type = Bool)]
        any: bool,
    }
    statement("SELECT EXISTS (SELECT FROM pending_descriptions) AS any")
        .get_result::<Pending>(connection)
        .map(|pending| pending.any)
}

/// The number of crates that are to be described.
pub fn count_pending(connection: &mut PgConnection) -> QueryResult<i64> {
    pending_descriptions::table.count().get_result(connection)
}

/// Adds crates to those that are to be described from all their versions. The caller holds the locks of their rows.
pub fn request(connection: &mut PgConnection, crate_ids: &[i32]) -> QueryResult<()> {
    statement(
        "INSERT INTO pending_descriptions (crate_id) SELECT unnest($1)
         ON CONFLICT (crate_id) DO UPDATE
         SET generation = pending_descriptions.generation + 1, is_counted = false",
    )
    .bind::<Array<Integer>, _>(crate_ids)
    .execute(connection)
    .map(drop)
}

/// Waits until no other session describes crates, and keeps them from it until [`unlock`] or the end of the session.
pub fn lock(connection: &mut PgConnection) -> QueryResult<()> {
    statement("SELECT pg_advisory_lock($1)").bind::<BigInt, _>(LOCK).execute(connection).map(drop)
}

pub fn unlock(connection: &mut PgConnection) -> QueryResult<()> {
    statement("SELECT pg_advisory_unlock($1)").bind::<BigInt, _>(LOCK).execute(connection).map(drop)
}

/// Describes the next pending crates. The caller holds the [`lock`], and no lock of a crate's row.
///
/// # Errors
///
/// Errors that no crate caused: the database is unreachable, or a statement was canceled.
pub fn describe_next(connection: &mut PgConnection) -> QueryResult<Portion> {
    let pending = read_pending(connection)?;
    let mut portion = Portion { crates: pending.len(), undescribed: Vec::new() };
    if pending.is_empty() {
        return Ok(portion);
    }
    match connection.transaction(|connection| describe(connection, &pending, Texts::Kept)) {
        Err(error) if is_refusal(&error) => {}
        done => return done.map(|()| portion),
    }
    for one in &pending {
        let alone = std::slice::from_ref(one);
        match connection.transaction(|connection| describe(connection, alone, Texts::Kept)) {
            Err(error) if is_refusal(&error) => {
                connection.transaction(|connection| describe(connection, alone, Texts::LeftOut))?;
                let (crate_id, crate_name) = (one.crate_id, one.names.clone().unwrap_or_default().0);
                portion.undescribed.push(Undescribed { crate_id, crate_name, problem: error.to_string() });
            }
            done => done?,
        }
    }
    Ok(portion)
}

/// A pending crate with what follows from its versions.
struct PendingCrate {
    crate_id: i32,
    generation: i64,
    /// The name and its canonical form; None if the crate does not exist any longer.
    names: Option<(String, String)>,
    summary: VersionSummary,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Integer)]
    crate_id: i32,
    #[diesel(sql_type = BigInt)]
    generation: i64,
    #[diesel(sql_type = Bool)]
    is_counted: bool,
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    canonical_name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    max_version: Option<Version>,
    #[diesel(sql_type = Nullable<Text>)]
    max_stable_version: Option<Version>,
    #[diesel(sql_type = Nullable<Text>)]
    newest_version: Option<Version>,
    #[diesel(sql_type = Nullable<Integer>)]
    default_version_id: Option<i32>,
    #[diesel(sql_type = Nullable<Integer>)]
    version_count: Option<i32>,
    #[diesel(sql_type = Nullable<Bool>)]
    yanked: Option<bool>,
    #[diesel(sql_type = Nullable<Integer>)]
    id: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    num: Option<Version>,
    #[diesel(sql_type = Nullable<Bool>)]
    effective_yanked: Option<bool>,
}

impl Row {
    fn version(&self) -> Option<Shown> {
        Some(Shown { id: self.id?, num: self.num.clone()?, yanked: self.effective_yanked })
    }

    /// The crate with these versions in the index, which were read unless it is counted.
    fn into_crate(self, shown: &[Shown]) -> PendingCrate {
        let summary = match self.is_counted {
            true => VersionSummary {
                max_version: self.max_version,
                max_stable_version: self.max_stable_version,
                newest_version: self.newest_version,
                default_version_id: self.default_version_id,
                version_count: self.version_count.unwrap_or_default(),
                yanked: self.yanked.unwrap_or_default(),
            },
            false => VersionSummary::of(shown),
        };
        let names = self.name.zip(self.canonical_name);
        PendingCrate { crate_id: self.crate_id, generation: self.generation, names, summary }
    }
}

fn read_pending(connection: &mut PgConnection) -> QueryResult<Vec<PendingCrate>> {
    let rows: Vec<Row> = statement(
        "SELECT pending.crate_id, generation, is_counted, name, canonical_name, max_version, max_stable_version,
                newest_version, default_version_id, version_count, yanked, versions.id, num, effective_yanked
         FROM (SELECT * FROM pending_descriptions ORDER BY crate_id LIMIT $1) AS pending
              LEFT JOIN crates ON crates.id = pending.crate_id
              LEFT JOIN versions ON versions.crate_id = CASE WHEN NOT is_counted THEN pending.crate_id END
                  AND effective_yanked IS NOT NULL
         ORDER BY pending.crate_id, versions.id",
    )
    .bind::<Integer, _>(PORTION)
    .load(connection)?;
    let mut found: Vec<PendingCrate> = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while let Some(first) = rows.next() {
        let mut shown: Vec<Shown> = first.version().into_iter().collect();
        while let Some(next) = rows.next_if(|next| next.crate_id == first.crate_id) {
            shown.extend(next.version());
        }
        found.push(first.into_crate(&shown));
    }
    Ok(found)
}

/// Whether the texts of manifests and READMEs are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Texts {
    Kept,
    LeftOut,
}

/// Writes the search documents and the derived columns of crates, in a transaction of the caller.
fn describe(connection: &mut PgConnection, pending: &[PendingCrate], texts: Texts) -> QueryResult<()> {
    let defaults: Vec<i32> = pending.iter().filter_map(|one| one.summary.default_version_id).collect();
    let mut found = if texts == Texts::Kept { read_texts(connection, &defaults)? } else { HashMap::new() };
    let mut derived = Vec::with_capacity(pending.len());
    let mut abouts = Vec::with_capacity(pending.len());
    for one in pending {
        let texts = one.summary.default_version_id.and_then(|default| found.remove(&default));
        let (about, readme) = texts.unwrap_or_default();
        derived.push(Derived::of(one.summary.clone(), &about));
        abouts.push((about, readme));
    }
    let mut slugs: Vec<String> = derived.iter().flat_map(|one| one.categories.clone()).collect();
    slugs.sort();
    slugs.dedup();
    categories::note(connection, &slugs)?;
    let (mut described, mut hidden) = (Vec::new(), Vec::new());
    for (one, (about, readme)) in pending.iter().zip(&abouts) {
        match &one.names {
            Some((_, canonical_name)) if one.summary.version_count > 0 => {
                described.push(Described { crate_id: one.crate_id, canonical_name, about, readme });
            }
            _ => hidden.push(one.crate_id),
        }
    }
    search::note(connection, &described)?;
    search::forget(connection, &hidden)?;
    fault::point("description.search_written").map_err(|fault| Error::QueryBuilderError(Box::new(fault)))?;
    let ids: Vec<i32> = pending.iter().map(|one| one.crate_id).collect();
    crates::lock_all(connection, &ids)?;
    let given: Vec<serde_json::Value> = pending
        .iter()
        .zip(derived)
        .map(|(one, derived)| {
            let mut given = json!(derived);
            given["id"] = json!(one.crate_id);
            given["generation"] = json!(one.generation);
            given
        })
        .collect();
    finish(connection, &json!(given))
}

/// Manifests and the beginnings of READMEs of versions, by their ids.
fn read_texts(connection: &mut PgConnection, version_ids: &[i32]) -> QueryResult<HashMap<i32, (About, String)>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        id: i32,
        #[diesel(sql_type = Jsonb)]
        manifest: serde_json::Value,
        /// Longer than the part that is searched, since some characters are not part of words.
        #[diesel(sql_type = Text)]
        readme: String,
    }
    let rows: Vec<Row> = statement(
        "SELECT id, manifest, left(coalesce(metadata->>'readme', ''), $1) AS readme FROM versions WHERE id = ANY($2)",
    )
    .bind::<Integer, _>(i32::try_from(2 * search::document::README).unwrap_or(i32::MAX))
    .bind::<Array<Integer>, _>(version_ids)
    .load(connection)?;
    Ok(rows.into_iter().map(|row| (row.id, (About::from_json(row.manifest), row.readme))).collect())
}

/// Writes the derived columns of the crates whose generation is still the given one, and ends their wait.
fn finish(connection: &mut PgConnection, given: &serde_json::Value) -> QueryResult<()> {
    // A row of `crate_downloads` that is right is not even locked.
    statement(
        "WITH given AS MATERIALIZED (
             SELECT * FROM jsonb_to_recordset($1) AS given (
                 id integer, generation bigint, max_version text, max_stable_version text, newest_version text,
                 default_version_id integer, version_count integer, yanked boolean, description text, homepage text,
                 documentation text, repository text, keywords text[], categories text[])
         ), done AS (
             DELETE FROM pending_descriptions AS pending USING given
             WHERE pending.crate_id = given.id AND pending.generation = given.generation
             RETURNING given.*
         ), listed AS (
             INSERT INTO crate_downloads (crate_id, downloads, recent, shown)
             SELECT id, 0, 0, true FROM done JOIN crates USING (id)
             WHERE done.version_count > 0
                 AND NOT EXISTS (SELECT FROM crate_downloads WHERE crate_id = id AND shown)
             ON CONFLICT (crate_id) DO UPDATE SET shown = true
         ), unlisted AS (
             UPDATE crate_downloads SET shown = false FROM done
             WHERE crate_id = id AND version_count = 0 AND shown
         )
         UPDATE crates
         SET (max_version, max_stable_version, newest_version, default_version_id, version_count, yanked, description,
              homepage, documentation, repository, keywords, categories)
             = (done.max_version, done.max_stable_version, done.newest_version, done.default_version_id,
                done.version_count, done.yanked, done.description, done.homepage, done.documentation, done.repository,
                done.keywords, done.categories)
         FROM done
         WHERE crates.id = done.id
             AND (crates.max_version, crates.max_stable_version, crates.newest_version, crates.default_version_id,
                  crates.version_count, crates.yanked, crates.description, crates.homepage, crates.documentation,
                  crates.repository, crates.keywords, crates.categories)
             IS DISTINCT FROM
                 (done.max_version, done.max_stable_version, done.newest_version, done.default_version_id,
                  done.version_count, done.yanked, done.description, done.homepage, done.documentation,
                  done.repository, done.keywords, done.categories)",
    )
    .bind::<Jsonb, _>(given)
    .execute(connection)
    .map(drop)
}
