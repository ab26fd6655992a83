//! Versions as clients see them.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Text};

use super::version_actions::{self, VersionAction};
use crate::database::about::About;
use crate::database::access::provenance::Provenance;
use crate::database::access::users::User;
use crate::database::schema::{crates, users, version_downloads, versions};
use crate::package::{Checksum, CrateName, Version};
use crate::statement::statement;

/// A version, queued or published.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = versions)]
pub struct VersionRow {
    pub id: i32,
    pub crate_id: i32,
    pub num: Version,
    pub checksum: Checksum,
    /// The size of the crate file in bytes.
    pub size: i64,
    pub desired_yanked: bool,
    /// None until the version is in the index.
    pub effective_yanked: Option<bool>,
    pub commit_id: Option<String>,
    /// Why it is yanked, or to be yanked.
    pub yank_message: Option<String>,
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
    pub deletion_requested_at: Option<DateTime<Utc>>,
    /// None until the crate file was analysed.
    pub linecounts: Option<serde_json::Value>,
    /// Of a version that a trusted publisher has published.
    pub provenance: Option<serde_json::Value>,
}

impl VersionRow {
    /// Where it comes from, if a trusted publisher has published it.
    pub fn provenance(&self) -> Option<Provenance> {
        self.provenance.clone().and_then(|provenance| serde_json::from_value(provenance).ok())
    }
}

/// A version with its crate's name, its manifest, its publisher, its downloads and what users did with it.
#[derive(Clone, Debug)]
pub struct CountedVersion {
    pub row: VersionRow,
    pub crate_name: CrateName,
    pub about: About,
    pub published_by: Option<User>,
    pub downloads: i64,
    pub actions: Vec<VersionAction>,
    /// Whether it has documentation here.
    pub has_docs: bool,
}

const HAS_DOCS: &str = "EXISTS (SELECT FROM version_docs WHERE version_id = versions.id)";

/// Whether the features of versions are loaded. They can be longer than everything else together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Features {
    Included,
    LeftOut,
}

/// A version in the index, as far as lists are sorted and filtered by it.
#[derive(Queryable, Clone, Debug)]
pub struct Listed {
    pub id: i32,
    pub num: Version,
    pub yanked: Option<bool>,
    pub created_at: DateTime<Utc>,
}

/// A crate's versions in the index, the highest first.
pub fn highest_first(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<Listed>> {
    let mut versions = shown(connection, crate_id)?;
    versions.sort_by(|one, other| (&other.num, other.id).cmp(&(&one.num, one.id)));
    Ok(versions)
}

/// A crate's versions in the index, the newest first.
pub fn newest_first(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<Listed>> {
    let mut versions = shown(connection, crate_id)?;
    versions.sort_by_key(|one| Reverse((one.created_at, one.id)));
    Ok(versions)
}

fn shown(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<Listed>> {
    versions::table
        .filter(versions::crate_id.eq(crate_id))
        .filter(versions::effective_yanked.is_not_null())
        // The index may still have it, but it is no longer served.
        .filter(versions::deletion_requested_at.is_null())
        .select((versions::id, versions::num, versions::effective_yanked, versions::created_at))
        .load(connection)
}

/// The versions with these ids, including queued ones, in the order of the ids.
pub fn by_ids(connection: &mut PgConnection, ids: &[i32], features: Features) -> QueryResult<Vec<CountedVersion>> {
    type Loaded = (VersionRow, CrateName, Option<User>, Option<i64>, bool, serde_json::Value);
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
    let docs = sql::<Bool>(HAS_DOCS);
    let loaded: Vec<Loaded> = match features {
        Features::Included => query.select((row, name, user, downloads, docs, versions::manifest)).load(connection)?,
        Features::LeftOut => {
            query.select((row, name, user, downloads, docs, versions::manifest.remove("features"))).load(connection)?
        }
    };
    let mut found: Vec<CountedVersion> = loaded
        .into_iter()
        .map(|(row, crate_name, published_by, downloads, has_docs, manifest)| CountedVersion {
            about: About::from_json(manifest),
            row,
            crate_name,
            published_by,
            downloads: downloads.unwrap_or(0),
            actions: Vec::new(),
            has_docs,
        })
        .collect();
    add_actions(connection, &mut found)?;
    found.sort_by_key(|one| ids.iter().position(|id| *id == one.row.id));
    Ok(found)
}

fn add_actions(connection: &mut PgConnection, versions: &mut [CountedVersion]) -> QueryResult<()> {
    let named: Vec<_> = versions.iter().map(|one| (&one.crate_name, &one.row.num)).collect();
    let mut actions = version_actions::of_versions(connection, &named)?;
    for one in versions {
        one.actions = actions.remove(&(one.crate_name.canonical(), one.row.num.to_string())).unwrap_or_default();
    }
    Ok(())
}

/// The README of a version, if it has one.
pub fn readme(connection: &mut PgConnection, version_id: i32) -> QueryResult<Option<String>> {
    use diesel::sql_types::{Nullable, Text};
    versions::table.find(version_id).select(diesel::dsl::sql::<Nullable<Text>>("metadata->>'readme'")).first(connection)
}

/// The README of a version, if it has one, and its path in the package, if that is known.
pub fn readme_and_path(
    connection: &mut PgConnection,
    version_id: i32,
) -> QueryResult<Option<(String, Option<String>)>> {
    use diesel::sql_types::Nullable;
    let found: (Option<String>, Option<String>) = versions::table
        .find(version_id)
        .select((sql::<Nullable<Text>>("metadata->>'readme'"), sql::<Nullable<Text>>("metadata->>'readme_file'")))
        .first(connection)?;
    Ok(found.0.filter(|readme| !readme.is_empty()).map(|readme| (readme, found.1)))
}

/// The newest accepted version of a crate that is not to be deleted, whether or not the index shows it.
pub fn newest_accepted(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Option<i32>> {
    versions::table
        .filter(versions::crate_id.eq(crate_id))
        .filter(versions::deletion_requested_at.is_null())
        .order(versions::id.desc())
        .select(versions::id)
        .first(connection)
        .optional()
}

/// The names of the features of versions, in order.
pub fn feature_names(connection: &mut PgConnection, ids: &[i32]) -> QueryResult<HashMap<i32, Vec<String>>> {
    #[derive(QueryableByName)]
    struct Names {
        #[diesel(sql_type = Integer)]
        id: i32,
        #[diesel(sql_type = Array<Text>)]
        names: Vec<String>,
    }
    let found: Vec<Names> = statement(
        "SELECT id, ARRAY(
             SELECT name FROM jsonb_object_keys(
                 CASE jsonb_typeof(manifest->'features') WHEN 'object' THEN manifest->'features' ELSE '{}' END) AS name
             ORDER BY name) AS names
         FROM versions WHERE id = ANY ($1)",
    )
    .bind::<Array<Integer>, _>(ids)
    .load(connection)?;
    Ok(found.into_iter().map(|one| (one.id, one.names)).collect())
}

/// The ids of the versions that were accepted last and are in the index, the newest first.
pub fn newest_of_all(connection: &mut PgConnection, limit: i64) -> QueryResult<Vec<i32>> {
    versions::table
        .filter(versions::effective_yanked.is_not_null())
        .order(versions::id.desc())
        .select(versions::id)
        .limit(limit)
        .load(connection)
}
