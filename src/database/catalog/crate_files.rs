//! Which crate files are needed, and a lock for each, by its checksum.
//!
//! A publish shares the lock from the insertion of its version to the end of its transaction; whoever removes a file has
//! it alone from before it asks for versions to after the removal. `jobs::unused_files` argues why that is enough.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer};

use crate::database::schema::versions;
use crate::package::Checksum;
use crate::statement::statement;

/// Keeps these advisory locks apart from others of two numbers.
pub(super) const CLASS: i32 = 0x6669_6c65;

diesel::define_sql_function! {
    /// Shares a lock until the transaction ends.
    fn pg_advisory_xact_lock_shared(class: diesel::sql_types::Integer, key: diesel::sql_types::Integer) -> diesel::sql_types::Nullable<diesel::sql_types::Text>;
}

/// The number of a file's lock. Two files of one number only wait for each other.
pub(super) fn key(checksum: Checksum) -> i32 {
    let bytes = checksum.as_bytes();
    i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Keeps a file from being removed until the transaction ends, whatever there is to say for that.
pub fn hold(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<()> {
    statement("SELECT pg_advisory_xact_lock_shared($1, $2)")
        .bind::<Integer, _>(CLASS)
        .bind::<Integer, _>(key(checksum))
        .execute(connection)
        .map(drop)
}

/// Takes the right to remove a file, until the transaction ends: waits for those that hold it.
pub fn lock_for_removal(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<()> {
    statement("SELECT pg_advisory_xact_lock($1, $2)")
        .bind::<Integer, _>(CLASS)
        .bind::<Integer, _>(key(checksum))
        .execute(connection)
        .map(drop)
}

/// Whether a version needs this file: one whose deletion is not complete.
pub fn is_needed(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<bool> {
    let with_it = versions::table.filter(versions::checksum.eq(checksum)).filter(versions::state.ne("deleted"));
    diesel::select(diesel::dsl::exists(with_it)).get_result(connection)
}

/// Keeps the lock below apart from others of one number.
const TIDYING: i64 = 0x7469_6479;

/// Takes the right to tidy the crate store, which one process of an installation has; false if another has it. It ends
/// with the session.
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
