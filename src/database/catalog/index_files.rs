//! Crates' files in the index as jobs have noted them, and the versions that are not as desired there.
//!
//! A *noted file* is one whose content is exactly the effective state of the crate's versions: their lines in the order of
//! their ids, each with its effective yank state. It is noted in the transaction that writes the effective state, under the
//! lock of the crate's row. What changes the one without the other removes the note.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};
use serde::Serialize;

use crate::package::{CrateName, Version};
use crate::statement::statement;

/// A file of the index.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct NotedFile {
    /// The git blob id.
    pub index_blob: String,
    /// The size in bytes.
    pub index_bytes: i64,
    /// The highest id of a version in it.
    pub index_last_id: i32,
}

/// The columns of a noted file.
pub type Columns = (Option<String>, Option<i64>, Option<i32>);

impl NotedFile {
    /// The file that these columns name, if they do.
    pub fn of(columns: Columns) -> Option<Self> {
        let (Some(index_blob), Some(index_bytes), Some(index_last_id)) = columns else { return None };
        Some(Self { index_blob, index_bytes, index_last_id })
    }
}

/// A crate with what its file lacks.
#[derive(Clone, Debug)]
pub struct PendingCrate {
    pub id: i32,
    pub name: CrateName,
    /// None if it is not known which file has the effective state.
    pub noted: Option<NotedFile>,
    /// The number of versions in the index.
    pub version_count: i32,
    /// In the order of publication.
    pub pending: Vec<PendingVersion>,
}

/// SQL: whether a version is not as desired, in the words of the index `versions_not_as_desired`.
pub const NOT_AS_DESIRED: &str = "versions.state <> 'deleted' AND
    (versions.effective_yanked IS DISTINCT FROM versions.desired_yanked OR versions.deletion_requested_at IS NOT NULL)";

/// A version that is not as desired in the index.
#[derive(Clone, Debug)]
pub struct PendingVersion {
    pub id: i32,
    pub num: Version,
    pub index_line: String,
    pub desired_yanked: bool,
    /// None: the version is not in the index yet.
    pub effective_yanked: Option<bool>,
    /// Whether its line is to be removed.
    pub is_deleted: bool,
    /// The release set with which it is written.
    pub release_set: Option<i32>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Integer)]
    crate_id: i32,
    #[diesel(sql_type = Text)]
    name: CrateName,
    #[diesel(sql_type = Nullable<Text>)]
    index_blob: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    index_bytes: Option<i64>,
    #[diesel(sql_type = Nullable<Integer>)]
    index_last_id: Option<i32>,
    #[diesel(sql_type = Integer)]
    version_count: i32,
    #[diesel(sql_type = Nullable<Integer>)]
    id: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    num: Option<Version>,
    #[diesel(sql_type = Nullable<Text>)]
    index_line: Option<String>,
    #[diesel(sql_type = Nullable<Bool>)]
    desired_yanked: Option<bool>,
    #[diesel(sql_type = Nullable<Bool>)]
    effective_yanked: Option<bool>,
    #[diesel(sql_type = Bool)]
    is_deleted: bool,
    #[diesel(sql_type = Nullable<Integer>)]
    release_set_id: Option<i32>,
}

/// These crates with the versions that are not as desired, in one snapshot. Crates that do not exist are left out.
pub fn pending(connection: &mut PgConnection, crate_ids: &[i32]) -> QueryResult<Vec<PendingCrate>> {
    let rows: Vec<Row> = statement(format!(
        "SELECT crates.id AS crate_id, crates.name, index_blob, index_bytes, index_last_id, version_count,
                versions.id, num, index_line, desired_yanked, effective_yanked,
                deletion_requested_at IS NOT NULL AS is_deleted, release_set_id
         FROM crates LEFT JOIN versions ON crate_id = crates.id AND {NOT_AS_DESIRED}
         WHERE crates.id = ANY($1)
         ORDER BY crates.id, versions.id"
    ))
    .bind::<Array<Integer>, _>(crate_ids)
    .load(connection)?;
    let mut found: Vec<PendingCrate> = Vec::new();
    for row in rows {
        let (crate_id, version) = (row.crate_id, row.version());
        if found.last().is_none_or(|last| last.id != crate_id) {
            found.push(row.into_crate());
        }
        if let Some(last) = found.last_mut() {
            last.pending.extend(version);
        }
    }
    Ok(found)
}

impl Row {
    /// None if no version of the crate is pending.
    fn version(&self) -> Option<PendingVersion> {
        Some(PendingVersion {
            id: self.id?,
            num: self.num.clone()?,
            index_line: self.index_line.clone()?,
            desired_yanked: self.desired_yanked?,
            effective_yanked: self.effective_yanked,
            is_deleted: self.is_deleted,
            release_set: self.release_set_id,
        })
    }

    fn into_crate(self) -> PendingCrate {
        let noted = NotedFile::of((self.index_blob, self.index_bytes, self.index_last_id));
        PendingCrate {
            id: self.crate_id,
            name: self.name,
            noted,
            version_count: self.version_count,
            pending: Vec::new(),
        }
    }
}

/// The crates that have versions of these release sets which are not as desired: each set with each of its crates.
pub fn waiting_for_sets(connection: &mut PgConnection, sets: &[i32]) -> QueryResult<Vec<(i32, i32)>> {
    statement(format!(
        "SELECT DISTINCT release_set_id, crate_id FROM versions WHERE release_set_id = ANY($1) AND {NOT_AS_DESIRED}"
    ))
    .bind::<Array<Integer>, _>(sets)
    .returning::<(Integer, Integer)>()
    .get_results(connection)
}

/// Forgets which file has the effective state of a version's crate, because a line of it changes.
pub fn forget_of_version(connection: &mut PgConnection, version_id: i32) -> QueryResult<()> {
    statement(
        "UPDATE crates SET index_blob = NULL, index_bytes = NULL, index_last_id = NULL
         WHERE id = (SELECT crate_id FROM versions WHERE id = $1)",
    )
    .bind::<Integer, _>(version_id)
    .execute(connection)
    .map(drop)
}
