//! Crates and versions as they are told to clients.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::database::about::About;
use crate::database::access::users::User;
use crate::database::schema::{crate_downloads, crates, users, version_downloads, versions};
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
    let found = crates::table
        .left_join(crate_downloads::table)
        .left_join(versions::table.on(crates::default_version_id.eq(versions::id.nullable())))
        .filter(crates::canonical_name.eq(name.canonical()))
        .filter(crates::version_count.gt(0))
        .select((
            CrateRow::as_select(),
            (crate_downloads::downloads.nullable(), crate_downloads::recent.nullable(), versions::num.nullable()),
        ))
        .first(connection)
        .optional()?;
    Ok(found.map(counted))
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
    pub desired_yanked: bool,
    /// None until the version is in the index.
    pub effective_yanked: Option<bool>,
    pub commit_id: Option<String>,
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
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

/// Whether the features of versions are wanted, which may be longer than everything else together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Features {
    Included,
    LeftOut,
}

/// The versions of a crate that the index shows, by id and number alone, the one accepted last first.
pub fn shown_versions(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<(i32, Version)>> {
    versions::table
        .filter(versions::crate_id.eq(crate_id))
        .filter(versions::effective_yanked.is_not_null())
        .order(versions::id.desc())
        .select((versions::id, versions::num))
        .load(connection)
}

/// These versions, queued ones included, in the order of the ids.
pub fn versions(connection: &mut PgConnection, ids: &[i32], features: Features) -> QueryResult<Vec<CountedVersion>> {
    type Loaded = (VersionRow, CrateName, Option<User>, Option<i64>, serde_json::Value);
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query = versions::table
        .inner_join(crates::table)
        .left_join(users::table)
        .left_join(version_downloads::table)
        .filter(versions::id.eq_any(ids));
    let (row, name) = (VersionRow::as_select(), crates::name);
    let (user, downloads) = (Option::<User>::as_select(), version_downloads::downloads.nullable());
    let loaded: Vec<Loaded> = match features {
        Features::Included => query.select((row, name, user, downloads, versions::manifest)).load(connection)?,
        Features::LeftOut => {
            query.select((row, name, user, downloads, versions::manifest.remove("features"))).load(connection)?
        }
    };
    let mut found: Vec<CountedVersion> = loaded
        .into_iter()
        .map(|(row, crate_name, published_by, downloads, manifest)| CountedVersion {
            about: About::from_json(manifest),
            row,
            crate_name,
            published_by,
            downloads: downloads.unwrap_or(0),
        })
        .collect();
    found.sort_by_key(|one| ids.iter().position(|id| *id == one.row.id));
    Ok(found)
}

/// The README of a version, if it came with one.
pub fn readme(connection: &mut PgConnection, version_id: i32) -> QueryResult<Option<String>> {
    use diesel::sql_types::{Nullable, Text};
    versions::table.find(version_id).select(diesel::dsl::sql::<Nullable<Text>>("metadata->>'readme'")).first(connection)
}
