//! Crates as clients see them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::database::schema::{crate_downloads, crates, versions};
use crate::package::{CrateName, Version};

/// A crate with a version in the index.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = crates)]
pub struct CrateRow {
    pub id: i32,
    pub name: CrateName,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// The highest version that is not yanked, or the highest of all.
    pub max_version: Option<Version>,
    pub version_count: i32,
    pub max_stable_version: Option<Version>,
    pub newest_version: Option<Version>,
    pub description: Option<String>,
    pub homepage: Option<String>,
    pub documentation: Option<String>,
    pub repository: Option<String>,
    pub keywords: Vec<String>,
    pub categories: Vec<String>,
    /// Whether every version is yanked.
    pub yanked: bool,
    pub default_version_id: Option<i32>,
    /// Whether only trusted publishers may publish it.
    pub trustpub_only: bool,
}

/// A crate with its download counts and its default version.
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

/// The crates with these ids, in the order of the ids.
pub fn by_ids(connection: &mut PgConnection, ids: &[i32]) -> QueryResult<Vec<CountedCrate>> {
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

/// The crate with this name, in any spelling, if it is not deleted and a version of it is in the index.
pub fn find(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Option<CountedCrate>> {
    Ok(find_queued(connection, name)?.filter(|found| found.row.version_count > 0))
}

/// The crate with this name, in any spelling, if it is not deleted. Until a version of it is in the index it has no
/// description.
pub fn find_queued(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Option<CountedCrate>> {
    let found = crates::table
        .left_join(crate_downloads::table)
        .left_join(versions::table.on(crates::default_version_id.eq(versions::id.nullable())))
        .filter(crates::canonical_name.eq(name.canonical()))
        .filter(crates::deleted_at.is_null())
        .select((
            CrateRow::as_select(),
            (crate_downloads::downloads.nullable(), crate_downloads::recent.nullable(), versions::num.nullable()),
        ))
        .first(connection)
        .optional()?;
    Ok(found.map(counted))
}

/// The names of the crates in the index, and when each last changed, the oldest crate first.
pub fn all_names(
    connection: &mut PgConnection,
    limit: i64,
    offset: i64,
) -> QueryResult<Vec<(CrateName, DateTime<Utc>)>> {
    crates::table
        .filter(crates::version_count.gt(0))
        .order(crates::id)
        .select((crates::name, crates::updated_at))
        .limit(limit)
        .offset(offset)
        .load(connection)
}
