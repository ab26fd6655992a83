//! The crate file of a version, for its download.

use diesel::prelude::*;
use diesel::sql_types::{Binary, Bool, Integer, Nullable, Text};

use crate::package::{Checksum, CrateName, Version};
use crate::statement::statement;

/// The result of looking for the crate file of a version.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The version's id and the file's checksum; `None` if there is no such version, or if its deletion was requested.
    pub file: Option<(i32, Checksum)>,
    /// Whether any version was requested to be deleted and may still be in the index.
    pub deletion_pending: bool,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Integer>)]
    version_id: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    num: Option<Version>,
    #[diesel(sql_type = Nullable<Binary>)]
    checksum: Option<Checksum>,
    #[diesel(sql_type = Bool)]
    deletion_pending: bool,
}

/// Whether there is a row of the version, also of a deleted one, or the crate was deleted.
pub fn has_row(connection: &mut PgConnection, name: &CrateName, num: &Version) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Known {
        #[diesel(sql_type = Bool)]
        known: bool,
    }
    let known = statement(
        "SELECT EXISTS (
             SELECT FROM crates WHERE canonical_name = $1 AND (deleted_at IS NOT NULL OR EXISTS (
                 SELECT FROM versions WHERE crate_id = crates.id AND num_without_build = $2))) AS known",
    )
    .bind::<Text, _>(name.canonical())
    .bind::<Text, _>(num.without_build())
    .get_result::<Known>(connection)?;
    Ok(known.known)
}

/// Finds the file of the version with exactly this name and number.
pub fn find(connection: &mut PgConnection, name: &CrateName, num: &Version) -> QueryResult<Found> {
    // The condition is that of the index `versions_being_deleted`.
    let found = statement(
        "SELECT version_id, num, checksum, EXISTS (
             SELECT FROM versions WHERE state <> 'deleted' AND deletion_requested_at IS NOT NULL) AS deletion_pending
         FROM (VALUES (1)) AS one LEFT JOIN (
             SELECT versions.id AS version_id, num, checksum
             FROM versions JOIN crates ON crates.id = crate_id
             WHERE canonical_name = $1 AND num_without_build = $2 AND deletion_requested_at IS NULL
         ) AS found ON true",
    )
    .bind::<Text, _>(name.canonical())
    .bind::<Text, _>(num.without_build())
    .get_result::<Row>(connection)?;
    let file = found.version_id.zip(found.checksum).filter(|_| found.num.as_ref() == Some(num));
    Ok(Found { file, deletion_pending: found.deletion_pending })
}
