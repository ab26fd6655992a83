//! Crate files and archives of documentation: whether one is needed, and a lock for each, by its checksum.
//!
//! A publish holds the lock shared from the insertion of its version until the end of its transaction. A removal holds
//! it exclusively from before it looks for versions until after the file is removed. `jobs::unused_files` explains why
//! that is enough.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer};

use crate::database::schema::{staged_versions, version_docs, versions};
use crate::package::Checksum;
use crate::statement::statement;

/// The first number of these advisory locks.
pub(super) const CLASS: i32 = 0x6669_6c65;

diesel::define_sql_function! {
    /// Takes a shared lock until the transaction ends.
    fn pg_advisory_xact_lock_shared(class: diesel::sql_types::Integer, key: diesel::sql_types::Integer) -> diesel::sql_types::Nullable<diesel::sql_types::Text>;
}

/// The second number of a file's lock. Files that have the same number wait for each other, without harm.
pub(super) fn key(checksum: Checksum) -> i32 {
    let bytes = checksum.as_bytes();
    i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Prevents the removal of a file until the transaction ends.
pub fn hold(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<()> {
    statement("SELECT pg_advisory_xact_lock_shared($1, $2)")
        .bind::<Integer, _>(CLASS)
        .bind::<Integer, _>(key(checksum))
        .execute(connection)
        .map(drop)
}

/// Takes the exclusive lock of a file, for its removal, until the transaction ends. Waits for transactions that use the
/// file.
pub fn lock_for_removal(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<()> {
    statement("SELECT pg_advisory_xact_lock($1, $2)")
        .bind::<Integer, _>(CLASS)
        .bind::<Integer, _>(key(checksum))
        .execute(connection)
        .map(drop)
}

/// Whether a version has this file whose deletion is not complete, or an open release set, or it is the documentation of one.
pub fn is_needed(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<bool> {
    let with_it = versions::table.filter(versions::checksum.eq(checksum)).filter(versions::state.ne("deleted"));
    let staged = staged_versions::table.filter(staged_versions::checksum.eq(checksum));
    let docs = version_docs::table.filter(version_docs::checksum.eq(checksum));
    let any = diesel::dsl::exists(with_it).or(diesel::dsl::exists(staged)).or(diesel::dsl::exists(docs));
    diesel::select(any).get_result(connection)
}

/// Whether a version has this file whose deletion was not requested, or an open release set, or it is the documentation of one.
pub fn is_desired(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<bool> {
    let with_it =
        versions::table.filter(versions::checksum.eq(checksum)).filter(versions::deletion_requested_at.is_null());
    let staged = staged_versions::table.filter(staged_versions::checksum.eq(checksum));
    let docs = version_docs::table.filter(version_docs::checksum.eq(checksum));
    let any = diesel::dsl::exists(with_it).or(diesel::dsl::exists(staged)).or(diesel::dsl::exists(docs));
    diesel::select(any).get_result(connection)
}

/// The number of the advisory lock below.
const TIDYING: i64 = 0x7469_6479;

/// Takes the lock to tidy the crate store, which one process of an installation holds; false if another holds it. It is
/// released at the end of the session.
pub fn try_lock_tidying(connection: &mut PgConnection) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Taken {
        #[diesel(sql_type = Bool)]
        taken: bool,
    }
    diesel::sql_query("SELECT pg_try_advisory_lock($1) AS taken")
        .bind::<diesel::sql_types::BigInt, _>(TIDYING)
        .get_result::<Taken>(connection)
        .map(|row| row.taken)
}
