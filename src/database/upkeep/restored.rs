//! Rows that are written again, from what is left of them or from another registry.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::database::schema::{crates, versions};
use crate::package::{Checksum, Version};

/// A version that the index shows already, or will.
pub struct RestoredVersion<'a> {
    pub crate_id: i32,
    pub num: &'a Version,
    pub checksum: Checksum,
    /// Bytes of the crate file.
    pub size: i64,
    /// As it stands while the version is not yanked.
    pub index_line: &'a str,
    pub desired_yanked: bool,
    pub metadata: &'a serde_json::Value,
    /// What [`About`](crate::database::about::About) reads.
    pub manifest: &'a serde_json::Value,
    pub created_by: Option<i32>,
    /// When it was published, if that is known.
    pub published_at: Option<DateTime<Utc>>,
    /// It had been deleted, and only its number stays.
    pub deletion_reason: Option<&'a str>,
}

impl RestoredVersion<'_> {
    /// Adds the version as queued; None if the crate has it, whatever its build metadata.
    pub fn insert(&self, connection: &mut PgConnection) -> QueryResult<Option<i32>> {
        let now = Utc::now();
        diesel::insert_into(versions::table)
            .values((
                versions::crate_id.eq(self.crate_id),
                versions::num.eq(self.num),
                versions::num_without_build.eq(self.num.without_build()),
                versions::checksum.eq(self.checksum),
                versions::size.eq(self.size),
                versions::index_line.eq(self.index_line),
                versions::desired_yanked.eq(self.desired_yanked),
                versions::metadata.eq(self.metadata),
                versions::manifest.eq(self.manifest),
                versions::created_by.eq(self.created_by),
                versions::created_at.eq(self.published_at.unwrap_or(now)),
                versions::published_at.eq(self.published_at),
                versions::deletion_requested_at.eq(self.deletion_reason.map(|_| now)),
                versions::deletion_reason.eq(self.deletion_reason),
            ))
            .on_conflict_do_nothing()
            .returning(versions::id)
            .get_result(connection)
            .optional()
    }
}

/// Writes since when there is a crate.
pub fn date_crate(connection: &mut PgConnection, crate_id: i32, at: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(crates::table.find(crate_id)).set(crates::created_at.eq(at)).execute(connection).map(drop)
}

/// Writes which commit shows a version.
pub fn note_commit(connection: &mut PgConnection, version_id: i32, commit: &str) -> QueryResult<()> {
    diesel::update(versions::table.find(version_id).filter(versions::commit_id.is_not_null()))
        .set(versions::commit_id.eq(commit))
        .execute(connection)
        .map(drop)
}

/// Writes the size of a version's file, in bytes.
pub fn note_size(connection: &mut PgConnection, version_id: i32, size: i64) -> QueryResult<()> {
    diesel::update(versions::table.find(version_id)).set(versions::size.eq(size)).execute(connection).map(drop)
}
