//! New rows of versions: of a publish, of a repair and of an import.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::crate_files;
use crate::database::about::About;
use crate::database::schema::versions;
use crate::package::{Checksum, Version};

/// The version of a publish.
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
    /// Inserts the version as queued; None if the crate has this number, ignoring build metadata. The transaction then
    /// holds the lock that prevents the removal of the crate file.
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

/// A version of a repair or an import. It is in the index already, or will be.
pub struct RestoredVersion<'a> {
    pub crate_id: i32,
    pub num: &'a Version,
    pub checksum: Checksum,
    /// The size of the crate file in bytes.
    pub size: i64,
    /// The line of the version while it is not yanked.
    pub index_line: &'a str,
    pub desired_yanked: bool,
    pub yank_message: Option<&'a str>,
    pub metadata: &'a serde_json::Value,
    /// The JSON of an [`About`].
    pub manifest: &'a serde_json::Value,
    pub created_by: Option<i32>,
    /// The time of its publication, if that is known.
    pub published_at: Option<DateTime<Utc>>,
    /// The reason of its deletion, if it was deleted and only its number is restored.
    pub deletion_reason: Option<&'a str>,
    /// Whether its dependencies on crates.io count as dependencies on this registry.
    pub crates_io_here: bool,
}

impl RestoredVersion<'_> {
    /// Inserts the version as queued; None if the crate has this number, ignoring build metadata.
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
                versions::yank_message.eq(self.yank_message),
                versions::metadata.eq(self.metadata),
                versions::manifest.eq(self.manifest),
                versions::created_by.eq(self.created_by),
                versions::created_at.eq(self.published_at.unwrap_or(now)),
                versions::published_at.eq(self.published_at),
                versions::deletion_requested_at.eq(self.deletion_reason.map(|_| now)),
                versions::deletion_reason.eq(self.deletion_reason),
                versions::crates_io_here.eq(self.crates_io_here),
            ))
            .on_conflict_do_nothing()
            .returning(versions::id)
            .get_result(connection)
            .optional()
    }
}
