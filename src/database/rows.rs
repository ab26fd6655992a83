//! Crates and versions as they are told to clients.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::about::About;
use super::schema::{crate_downloads, crates, users, version_downloads, versions};
use super::users::User;
use crate::package::{Checksum, CrateName, Version};

/// A crate of which the index shows a version.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = crates)]
pub struct CrateRow {
    pub id: i32,
    pub name: CrateName,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// The highest that is not yanked, or the highest of all.
    pub max_version: Option<Version>,
    pub version_count: i32,
    /// The version that describes it.
    pub default_version_id: Option<i32>,
    pub max_stable_version: Option<Version>,
    pub newest_version: Option<Version>,
    pub description: Option<String>,
    pub homepage: Option<String>,
    pub documentation: Option<String>,
    pub repository: Option<String>,
    pub keywords: Vec<String>,
    pub categories: Vec<String>,
    /// Every version is.
    pub yanked: bool,
}

/// A crate with what is counted of it.
#[derive(Clone, Debug)]
pub struct CountedCrate {
    pub row: CrateRow,
    pub default_version: Option<Version>,
    pub downloads: i64,
    pub recent_downloads: i64,
}

type Counts = (Option<i64>, Option<i64>, Option<Version>);

fn counted((row, (downloads, recent, default_version)): (CrateRow, Counts)) -> CountedCrate {
    let (downloads, recent_downloads) = (downloads.unwrap_or(0), recent.unwrap_or(0));
    CountedCrate { row, default_version, downloads, recent_downloads }
}

/// These crates, in the order of the ids.
pub fn crates(connection: &mut PgConnection, ids: &[i32]) -> QueryResult<Vec<CountedCrate>> {
    let mut found: Vec<CountedCrate> = crates::table
        .left_join(crate_downloads::table)
        .left_join(versions::table.on(crates::default_version_id.eq(versions::id.nullable())))
        .filter(crates::id.eq_any(ids))
        .select((
            CrateRow::as_select(),
            (crate_downloads::downloads.nullable(), crate_downloads::recent.nullable(), versions::num.nullable()),
        ))
        .load(connection)?
        .into_iter()
        .map(counted)
        .collect();
    found.sort_by_key(|one| ids.iter().position(|id| *id == one.row.id));
    Ok(found)
}

/// A crate of any spelling of this name, unless the index shows none of its versions.
pub fn find_crate(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Option<CountedCrate>> {
    let id: Option<i32> = crates::table
        .filter(crates::canonical_name.eq(name.canonical()))
        .filter(crates::version_count.gt(0))
        .select(crates::id)
        .first(connection)
        .optional()?;
    Ok(match id {
        Some(id) => crates(connection, &[id])?.pop(),
        None => None,
    })
}

/// A version, queued or published.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = versions)]
pub struct VersionRow {
    pub id: i32,
    pub crate_id: i32,
    pub num: Version,
    pub checksum: Checksum,
    /// Bytes of the crate file.
    pub size: i64,
    pub wanted_yanked: bool,
    /// None until the version is in the index.
    pub effective_yanked: Option<bool>,
    pub commit_id: Option<String>,
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
    pub manifest: serde_json::Value,
}

/// A version with its crate's name, who published it, and its downloads.
#[derive(Clone, Debug)]
pub struct CountedVersion {
    pub row: VersionRow,
    pub crate_name: CrateName,
    pub about: About,
    pub published_by: Option<User>,
    pub downloads: i64,
}

/// Which versions.
#[derive(Clone, Copy, Debug)]
pub enum Versions<'a> {
    /// Those of a crate that the index shows.
    OfCrate(i32),
    /// These, queued ones included.
    Ids(&'a [i32]),
}

/// Versions, the one accepted last first.
pub fn versions(connection: &mut PgConnection, which: Versions<'_>) -> QueryResult<Vec<CountedVersion>> {
    type Loaded = (VersionRow, CrateName, Option<User>, Option<i64>);
    let query = versions::table
        .inner_join(crates::table)
        .left_join(users::table)
        .left_join(version_downloads::table)
        .order(versions::id.desc())
        .select((
            VersionRow::as_select(),
            crates::name,
            Option::<User>::as_select(),
            version_downloads::downloads.nullable(),
        ))
        .into_boxed();
    let loaded: Vec<Loaded> = match which {
        Versions::OfCrate(id) => {
            query.filter(versions::crate_id.eq(id)).filter(versions::effective_yanked.is_not_null()).load(connection)?
        }
        Versions::Ids(ids) => query.filter(versions::id.eq_any(ids)).load(connection)?,
    };
    Ok(loaded
        .into_iter()
        .map(|(mut row, crate_name, published_by, downloads)| CountedVersion {
            about: About::from_json(row.manifest.take()),
            row,
            crate_name,
            published_by,
            downloads: downloads.unwrap_or(0),
        })
        .collect())
}

/// The README of a version, if it came with one.
pub fn readme(connection: &mut PgConnection, version_id: i32) -> QueryResult<Option<String>> {
    use diesel::sql_types::{Nullable, Text};
    versions::table.find(version_id).select(diesel::dsl::sql::<Nullable<Text>>("metadata->>'readme'")).first(connection)
}
