//! The state of each copy of the index in a bucket. Its row is locked while a process writes there.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz};

use crate::statement::statement;

/// The state of one copy.
#[derive(QueryableByName, Clone, Debug, PartialEq, Eq)]
pub struct IndexExport {
    /// The commit whose files are all in the bucket.
    #[diesel(sql_type = Nullable<Text>)]
    pub commit_id: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub exported_at: Option<DateTime<Utc>>,
    /// The number of the last attempt.
    #[diesel(sql_type = BigInt)]
    pub fence: i64,
    /// What changed after this commit is looked at again.
    #[diesel(sql_type = Nullable<Text>)]
    pub settled_commit: Option<String>,
    /// When that was last done.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub checked_at: Option<DateTime<Utc>>,
    /// The next invalidation is of everything.
    #[diesel(sql_type = Bool)]
    pub invalidates_all: bool,
}

const COLUMNS: &str = "commit_id, exported_at, fence, settled_commit, checked_at, invalidates_all";

/// The committed state; `None` before the first attempt.
pub fn find(connection: &mut PgConnection, destination: &str) -> QueryResult<Option<IndexExport>> {
    statement(format!("SELECT {COLUMNS} FROM index_exports WHERE destination = $1"))
        .bind::<Text, _>(destination)
        .get_result(connection)
        .optional()
}

/// Makes the row of a copy, if there is none. In a transaction of its own: another process would wait for its end.
pub fn declare(connection: &mut PgConnection, destination: &str) -> QueryResult<()> {
    statement("INSERT INTO index_exports (destination) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind::<Text, _>(destination)
        .execute(connection)
        .map(drop)
}

/// Locks the state until the end of the transaction and takes a number that is larger than that of any attempt before; `None`
/// if another process has locked it. The number is also larger after a restore of an older database, because it is at least
/// the time.
pub fn lock(connection: &mut PgConnection, destination: &str) -> QueryResult<Option<IndexExport>> {
    statement(format!(
        "UPDATE index_exports
         SET fence = greatest(fence + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
         WHERE destination = (SELECT destination FROM index_exports WHERE destination = $1 FOR UPDATE SKIP LOCKED)
         RETURNING {COLUMNS}"
    ))
    .bind::<Text, _>(destination)
    .get_result(connection)
    .optional()
}

/// Raises the number of the locked state above another one, and returns it. That this succeeds shows that the lock is held.
pub fn raise(connection: &mut PgConnection, destination: &str, above: i64) -> QueryResult<i64> {
    let raised: IndexExport = statement(format!(
        "UPDATE index_exports SET fence = greatest(fence, above) + 1
         FROM (SELECT $1::text AS place, $2::bigint AS above) AS given
         WHERE destination = place RETURNING {COLUMNS}"
    ))
    .bind::<Text, _>(destination)
    .bind::<BigInt, _>(above)
    .get_result(connection)?;
    Ok(raised.fence)
}

/// Records that all files of a commit are in the bucket. A commit that was exported for longer than `horizon`, in seconds, is
/// settled. One that does not follow the last one begins a new history. `looked_again`: what is not settled was looked at.
pub fn record(
    connection: &mut PgConnection,
    destination: &str,
    commit: &str,
    (follows, looked_again, horizon): (bool, bool, i64),
) -> QueryResult<()> {
    statement(
        "UPDATE index_exports
         SET commit_id = commit, exported_at = at, invalidates_all = false,
             checked_at = CASE WHEN looked_again THEN at ELSE coalesce(checked_at, at) END,
             settled_commit = CASE WHEN NOT follows OR settling_commit IS NULL THEN commit
                                   WHEN settling_since < settles THEN settling_commit
                                   ELSE settled_commit END,
             settling_commit = CASE WHEN follows AND settling_since >= settles THEN settling_commit ELSE commit END,
             settling_since = CASE WHEN follows AND settling_since >= settles THEN settling_since ELSE at END
         FROM (SELECT $1::text AS place, $2::text AS commit, $3::boolean AS follows, $4::boolean AS looked_again,
                      clock_timestamp() AS at, clock_timestamp() - $5 * interval '1 second' AS settles) AS given
         WHERE destination = place",
    )
    .bind::<Text, _>(destination)
    .bind::<Text, _>(commit)
    .bind::<Bool, _>(follows)
    .bind::<Bool, _>(looked_again)
    .bind::<BigInt, _>(horizon)
    .execute(connection)
    .map(drop)
}

/// Notes that objects are about to be written whose paths the next attempt may not find; false if another process has locked
/// the state, or there is none.
pub fn owe_invalidation(connection: &mut PgConnection, destination: &str) -> QueryResult<bool> {
    statement(
        "UPDATE index_exports SET invalidates_all = true
         WHERE destination = (SELECT destination FROM index_exports WHERE destination = $1 FOR UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(destination)
    .execute(connection)
    .map(|noted| noted > 0)
}

/// Fails if the session is lost, and with it the lock on the state.
pub fn confirm(connection: &mut PgConnection) -> QueryResult<()> {
    statement("SELECT 1").execute(connection).map(drop)
}

/// Forgets all copies: the next export compares every file.
pub fn forget_all(connection: &mut PgConnection) -> QueryResult<usize> {
    statement("DELETE FROM index_exports").execute(connection)
}
