//! The order of jobs: laps between requesters, turns within a key.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::{PgConnection, QueryResult, sql_query};

use super::channels::wake;

/// Keeps the advisory locks on keys apart from those of other programs in the same database.
const KEY_LOCKS: i64 = 0x6a6f_626b_6579;

/// SQL: the lap of a new job, in a statement in which `requested` has its queue, priority and requester. It is the lap after
/// the requester's last one, and at least the current lap of the queue.
///
/// The current lap of a queue is that of its first due job. Rows before that one run or are delayed; only the first
/// hundred rows are read, so that neither a running batch nor jobs in a long backoff hold the laps back, and so that the
/// cost is bounded.
pub(super) const NEXT_LAP: &str = "greatest(
    0,
    (SELECT coalesce(min(head.lap) FILTER (WHERE head.run_at <= clock_timestamp()), max(head.lap))
     FROM (SELECT jobs.lap, jobs.run_at FROM jobs
           WHERE jobs.queue = requested.queue AND jobs.priority = requested.priority AND jobs.turn IS NOT FALSE
           ORDER BY jobs.queue, jobs.priority DESC, jobs.lap, jobs.id LIMIT 100) AS head),
    (SELECT max(jobs.lap) + 1 FROM jobs
     WHERE jobs.queue = requested.queue AND jobs.priority = requested.priority
           AND left(coalesce(jobs.requested_by, ''), 200) = left(coalesce(requested.requested_by, ''), 200)))";

/// A row that was just deleted from `jobs`.
#[derive(QueryableByName)]
pub(super) struct RemovedRow {
    #[diesel(sql_type = Text)]
    pub queue: String,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub key: Option<String>,
    #[diesel(sql_type = Nullable<Bool>)]
    pub turn: Option<bool>,
}

impl RemovedRow {
    /// Passes the row's turn to the next job of its key, if its kind is ordered.
    pub(super) fn pass_turn(&self, connection: &mut PgConnection) -> QueryResult<()> {
        if let (Some(key), Some(_)) = (&self.key, self.turn) {
            pass_turn(connection, &self.queue, &self.kind, key)?;
        }
        Ok(())
    }
}

/// Gives the turn of a key to its oldest row, unless a row has it. Call it after the row in front was removed, in the same
/// transaction: the lock on the key makes concurrent transactions that enqueue wait, and then see that the row is gone.
pub fn pass_turn(connection: &mut PgConnection, queue: &str, kind: &str, key: &str) -> QueryResult<bool> {
    lock_key(connection, kind, key)?;
    let next = sql_query(
        "UPDATE jobs SET turn = true
         WHERE id = (SELECT id FROM jobs WHERE kind = $1 AND key = $2 ORDER BY id LIMIT 1)
               AND turn = false AND NOT EXISTS (SELECT FROM jobs WHERE kind = $1 AND key = $2 AND turn)",
    )
    .bind::<Text, _>(kind)
    .bind::<Text, _>(key)
    .execute(connection)?;
    if next > 0 {
        wake(connection, queue)?;
    }
    Ok(next > 0)
}

/// Locks a key of an ordered kind until the end of the transaction.
pub(super) fn lock_key(connection: &mut PgConnection, kind: &str, key: &str) -> QueryResult<()> {
    sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, $3))")
        .bind::<Text, _>(kind)
        .bind::<Text, _>(key)
        .bind::<BigInt, _>(KEY_LOCKS)
        .execute(connection)
        .map(drop)
}
