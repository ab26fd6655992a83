//! The crate file of a version, for its download.

use diesel::prelude::*;
use diesel::sql_types::{Binary, Bool, Integer, Text};

use crate::package::{Checksum, CrateName, Version};
use crate::statement::statement;

/// The crate file of a version whose deletion was not requested.
#[derive(QueryableByName, Clone, Debug)]
pub struct VersionFile {
    #[diesel(sql_type = Integer)]
    pub version_id: i32,
    #[diesel(sql_type = Text)]
    num: Version,
    #[diesel(sql_type = Binary)]
    pub checksum: Checksum,
    /// Whether any version was requested to be deleted and may still be in the index.
    #[diesel(sql_type = Bool)]
    pub deletion_pending: bool,
}

/// Finds the file of the version with exactly this name and number.
pub fn find(connection: &mut PgConnection, name: &CrateName, num: &Version) -> QueryResult<Option<VersionFile>> {
    // The state is written out because a planner that does not know it cannot use the index `versions_not_as_desired`.
    let found = statement(
        "SELECT versions.id AS version_id, num, checksum, EXISTS (
             SELECT FROM versions WHERE state <> 'deleted' AND deletion_requested_at IS NOT NULL) AS deletion_pending
         FROM versions JOIN crates ON crates.id = crate_id
         WHERE canonical_name = $1 AND num_without_build = $2 AND deletion_requested_at IS NULL",
    )
    .bind::<Text, _>(name.canonical())
    .bind::<Text, _>(num.without_build())
    .get_result::<VersionFile>(connection)
    .optional()?;
    Ok(found.filter(|found| found.num == *num))
}
