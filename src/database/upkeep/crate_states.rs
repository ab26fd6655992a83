//! The complete state of crates in the database, which a verification compares with the index: page by page, or of one
//! crate.
//!
//! Each row has a stamp (`xmin`), which changes with every change of the row. If two readings are equal, including the
//! stamps, the state did not change between them.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::database::about::About;
use crate::database::catalog::derived::Derived;
use crate::database::catalog::index_files::{Columns, NotedFile};
use crate::database::catalog::version_summary::{Shown, VersionSummary, default_version};
use crate::database::schema::{crates, versions};
use crate::package::{Checksum, CrateName, Version};

/// The state of a crate.
#[derive(Clone, Debug, PartialEq)]
pub struct CrateState {
    pub id: i32,
    pub name: CrateName,
    /// The stored values of the derived columns.
    pub derived: Derived,
    /// The values that the derived columns should have.
    pub following: Derived,
    /// Whether it has a search document.
    pub is_searched: bool,
    /// Whether it is shown in lists by downloads.
    pub is_listed: bool,
    /// Whether it is a dependent of the crates that its default version depends on, and of no others.
    pub is_dependent: bool,
    /// Whether it is to be described, so that its derived columns may be older.
    pub is_to_be_described: bool,
    /// The index file that has the effective state of its versions, if it is known.
    pub noted: Option<NotedFile>,
    /// Its versions in the order of publication.
    pub versions: Vec<VersionState>,
    stamp: String,
}

/// The state of a version.
#[derive(Queryable, Clone, Debug, PartialEq)]
pub struct VersionState {
    pub id: i32,
    pub crate_id: i32,
    pub num: Version,
    pub checksum: Checksum,
    /// The size of the crate file in bytes.
    pub size: i64,
    pub index_line: String,
    pub desired_yanked: bool,
    /// `queued`, `published` or `deleted`.
    pub state: String,
    pub effective_yanked: Option<bool>,
    pub commit_id: Option<String>,
    /// Whether its deletion was requested.
    pub deletion_requested: bool,
    stamp: String,
}

const FOLLOWS_ITS_DEPENDENCIES: &str = "
    ARRAY(SELECT canonical_name FROM crate_dependents WHERE crate_id = crates.id ORDER BY 1)
    = ARRAY(SELECT DISTINCT dependencies.canonical_name FROM dependencies
            WHERE version_id = crates.default_version_id AND registry IS NULL ORDER BY 1)";

/// The next crates, in the order of their ids.
pub fn page(connection: &mut PgConnection, after: i32, limit: i64) -> QueryResult<Vec<CrateState>> {
    let ids = crates::table.filter(crates::id.gt(after)).order(crates::id).limit(limit).select(crates::id);
    let ids: Vec<i32> = ids.load(connection)?;
    states(connection, &ids)
}

/// One crate.
pub fn one(connection: &mut PgConnection, id: i32) -> QueryResult<Option<CrateState>> {
    Ok(states(connection, &[id])?.pop())
}

fn states(connection: &mut PgConnection, ids: &[i32]) -> QueryResult<Vec<CrateState>> {
    type Row = (i32, CrateName, Derived, (bool, bool, bool, bool), Columns, String);
    use diesel::dsl::sql;
    use diesel::sql_types::Bool;
    let rows: Vec<Row> = crates::table
        .filter(crates::id.eq_any(ids))
        .order(crates::id)
        .select((
            crates::id,
            crates::name,
            Derived::as_select(),
            (
                sql::<Bool>("EXISTS (SELECT FROM crate_search WHERE crate_id = crates.id)"),
                sql::<Bool>("EXISTS (SELECT FROM crate_downloads WHERE crate_id = crates.id AND shown)"),
                sql::<Bool>(FOLLOWS_ITS_DEPENDENCIES),
                sql::<Bool>("EXISTS (SELECT FROM pending_descriptions WHERE crate_id = crates.id)"),
            ),
            (crates::index_blob, crates::index_bytes, crates::index_last_id),
            sql::<Text>("crates.xmin::text"),
        ))
        .load(connection)?;
    let mut by_crate: HashMap<i32, Vec<VersionState>> = HashMap::new();
    for version in versions_of(connection, ids)? {
        by_crate.entry(version.crate_id).or_default().push(version);
    }
    let shown: HashMap<i32, Vec<Shown>> = by_crate.iter().map(|(id, all)| (*id, shown(all))).collect();
    let defaults: Vec<i32> = shown.values().filter_map(|shown| Some(default_version(shown)?.id)).collect();
    let abouts = abouts(connection, &defaults)?;
    Ok(rows
        .into_iter()
        .map(|(id, name, derived, (is_searched, is_listed, is_dependent, is_to_be_described), columns, stamp)| {
            let shown = shown.get(&id).map_or(&[][..], Vec::as_slice);
            let about = default_version(shown).and_then(|default| abouts.get(&default.id));
            let following = Derived::of(VersionSummary::of(shown), about.unwrap_or(&About::default()));
            let versions = by_crate.remove(&id).unwrap_or_default();
            let noted = NotedFile::of(columns);
            CrateState {
                id,
                name,
                derived,
                following,
                is_searched,
                is_listed,
                is_dependent,
                is_to_be_described,
                noted,
                versions,
                stamp,
            }
        })
        .collect())
}

fn versions_of(connection: &mut PgConnection, crate_ids: &[i32]) -> QueryResult<Vec<VersionState>> {
    versions::table
        .filter(versions::crate_id.eq_any(crate_ids))
        .order((versions::crate_id, versions::id))
        .select((
            versions::id,
            versions::crate_id,
            versions::num,
            versions::checksum,
            versions::size,
            versions::index_line,
            versions::desired_yanked,
            versions::state,
            versions::effective_yanked,
            versions::commit_id,
            versions::deletion_requested_at.is_not_null(),
            diesel::dsl::sql::<Text>("versions.xmin::text"),
        ))
        .load(connection)
}

fn shown(versions: &[VersionState]) -> Vec<Shown> {
    let shown = versions.iter().filter(|version| version.effective_yanked.is_some());
    shown.map(|version| Shown { id: version.id, num: version.num.clone(), yanked: version.effective_yanked }).collect()
}

fn abouts(connection: &mut PgConnection, ids: &[i32]) -> QueryResult<HashMap<i32, About>> {
    let rows: Vec<(i32, serde_json::Value)> =
        versions::table.filter(versions::id.eq_any(ids)).select((versions::id, versions::manifest)).load(connection)?;
    Ok(rows.into_iter().map(|(id, manifest)| (id, About::from_json(manifest))).collect())
}

/// A version's crate file.
#[derive(Queryable, Clone, Debug, PartialEq)]
pub struct NamedFile {
    pub version_id: i32,
    pub crate_id: i32,
    pub crate_name: CrateName,
    pub num: Version,
    pub checksum: Checksum,
    /// In bytes.
    pub size: i64,
    pub state: String,
    /// Whether its deletion was requested.
    pub deletion_requested: bool,
    stamp: String,
}

/// The query of [`NamedFile`]. It is a macro because the type of the query cannot be written.
macro_rules! files {
    () => {
        versions::table.inner_join(crates::table).order((versions::checksum, versions::id)).select((
            versions::id,
            versions::crate_id,
            crates::name,
            versions::num,
            versions::checksum,
            versions::size,
            versions::state,
            versions::deletion_requested_at.is_not_null(),
            diesel::dsl::sql::<Text>("versions.xmin::text"),
        ))
    };
}

/// The files of versions whose checksums begin with this byte, in the order of the checksums.
pub fn files_beginning(connection: &mut PgConnection, first_byte: u8) -> QueryResult<Vec<NamedFile>> {
    let bound = |byte: u8| {
        let mut bytes = [0; 32];
        bytes[0] = byte;
        Checksum::from_bytes(bytes)
    };
    let mut query = files!().filter(versions::checksum.ge(bound(first_byte))).into_boxed();
    if let Some(next) = first_byte.checked_add(1) {
        query = query.filter(versions::checksum.lt(bound(next)));
    }
    query.load(connection)
}

/// The versions with this file.
pub fn naming(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<Vec<NamedFile>> {
    files!().filter(versions::checksum.eq(checksum)).load(connection)
}

/// A version's index line, and what a comparison with its crate file needs.
#[derive(Queryable, Clone, Debug, PartialEq)]
pub struct LineState {
    pub version_id: i32,
    pub crate_name: CrateName,
    pub num: Version,
    pub checksum: Checksum,
    pub index_line: String,
    /// Whether its dependencies on crates.io count as dependencies on this registry.
    pub crates_io_here: bool,
}

/// The line of a version, unless its deletion was requested.
pub fn line(connection: &mut PgConnection, version_id: i32) -> QueryResult<Option<LineState>> {
    versions::table
        .inner_join(crates::table)
        .filter(versions::id.eq(version_id))
        .filter(versions::deletion_requested_at.is_null())
        .select((
            versions::id,
            crates::name,
            versions::num,
            versions::checksum,
            versions::index_line,
            versions::crates_io_here,
        ))
        .first(connection)
        .optional()
}
