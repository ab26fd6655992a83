//! What operators do to jobs. Each leaves a receipt with their name.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::{PgConnection, QueryResult, sql_query};

use super::JobId;
use super::storage::{IdRow, NEXT_LAP, RemovedRow, lock_key, wake};

/// What an operator's `retry` or `discard` met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It was dead and is now owed again, or ended.
    Dead,
    /// It was waiting, perhaps in backoff, and is now due, or ended.
    Waiting,
    /// It runs at this moment; nothing was changed.
    Running,
    /// There is no such job.
    Unknown,
}

/// Makes a dead job owed again, its attempts at zero, or a waiting one due at once.
pub fn retry(connection: &mut PgConnection, job: JobId, by: &str) -> QueryResult<Handled> {
    connection.transaction(|connection| {
        if let Some(queue) = revive(connection, job, by)? {
            wake(connection, &queue)?;
            return Ok(Handled::Dead);
        }
        let due: Vec<RemovedRow> = sql_query(
            "WITH due AS (
                UPDATE jobs SET run_at = clock_timestamp()
                WHERE id = (SELECT id FROM jobs WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED)
                RETURNING *),
             noted AS (
                INSERT INTO job_history (id, queue, kind, key, requested_by, request_id, created_at, attempts, finished_by, outcome)
                SELECT id, queue, kind, key, requested_by, request_id, created_at, attempts, $2, 'retried' FROM due)
             SELECT queue, kind, key, turn FROM due",
        )
        .bind::<BigInt, _>(job)
        .bind::<Text, _>(by)
        .get_results(connection)?;
        if let Some(row) = due.first() {
            wake(connection, &row.queue)?;
            return Ok(Handled::Waiting);
        }
        absent_or_running(connection, job)
    })
}

/// Moves a dead job back; answers its queue. In an ordered key it stands in front of those that came after it, and behind
/// the one whose turn it is.
fn revive(connection: &mut PgConnection, job: JobId, by: &str) -> QueryResult<Option<String>> {
    let dead: Vec<RemovedRow> = sql_query("SELECT queue, kind, key, ordered AS turn FROM dead_jobs WHERE id = $1")
        .bind::<BigInt, _>(job)
        .get_results(connection)?;
    if let Some(RemovedRow { kind, key: Some(key), turn: Some(true), .. }) = dead.first() {
        lock_key(connection, kind, key)?;
    }
    let revived: Vec<RemovedRow> = sql_query(format!(
        "WITH revived AS (DELETE FROM dead_jobs WHERE id = $1 RETURNING *),
         noted AS (
            INSERT INTO job_history (id, queue, kind, key, requested_by, request_id, created_at, attempts, finished_by, outcome)
            SELECT id, queue, kind, key, requested_by, request_id, created_at, attempts, $2, 'retried' FROM revived)
         INSERT INTO jobs (id, queue, kind, key, payload, priority, requested_by, request_id, created_at, claim_no, last_error, turn,
                           lap)
         SELECT id, queue, kind, key, payload, priority, requested_by, request_id, created_at, claim_no, last_error,
                CASE WHEN ordered THEN NOT EXISTS (
                    SELECT FROM jobs WHERE jobs.kind = asked.kind AND jobs.key = asked.key AND jobs.turn) END, {NEXT_LAP}
         FROM revived AS asked
         RETURNING queue, kind, key, turn",
    ))
    .bind::<BigInt, _>(job)
    .bind::<Text, _>(by)
    .get_results(connection)?;
    Ok(revived.into_iter().next().map(|row| row.queue))
}

/// Ends a dead or waiting job without doing it. Its receipt says who did so and why.
pub fn discard(connection: &mut PgConnection, job: JobId, by: &str, reason: &str) -> QueryResult<Handled> {
    let note = |table: &str, turn: &str| {
        format!(
            "WITH ended AS (
                DELETE FROM {table} WHERE id = (SELECT id FROM {table} WHERE id = $1 FOR UPDATE SKIP LOCKED) RETURNING *),
             noted AS (
                INSERT INTO job_history (id, queue, kind, key, requested_by, request_id, created_at, attempts, finished_by, outcome,
                                         detail, error)
                SELECT id, queue, kind, key, requested_by, request_id, created_at, attempts, $2, 'discarded', $3, last_error
                FROM ended)
             SELECT queue, kind, key, {turn} AS turn FROM ended"
        )
    };
    connection.transaction(|connection| {
        for (table, turn, handled) in
            [("dead_jobs", "NULL::boolean", Handled::Dead), ("jobs", "turn", Handled::Waiting)]
        {
            let ended: Vec<RemovedRow> = sql_query(note(table, turn))
                .bind::<BigInt, _>(job)
                .bind::<Text, _>(by)
                .bind::<Text, _>(reason)
                .get_results(connection)?;
            if let Some(row) = ended.first() {
                row.let_the_next_go_on(connection)?;
                return Ok(handled);
            }
        }
        absent_or_running(connection, job)
    })
}

fn absent_or_running(connection: &mut PgConnection, job: JobId) -> QueryResult<Handled> {
    let rows: Vec<IdRow> =
        sql_query("SELECT id FROM jobs WHERE id = $1").bind::<BigInt, _>(job).get_results(connection)?;
    Ok(if rows.is_empty() { Handled::Unknown } else { Handled::Running })
}
