//! Operators' changes to jobs: retry and discard. Each leaves a receipt with the operator's name.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::{PgConnection, QueryResult, sql_query};

use super::channels::wake;
use super::job::JobId;
use super::order::{NEXT_LAP, RemovedRow, lock_key};
use super::storage::IdRow;

/// The state in which `retry` or `discard` found the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// Dead; now pending again, or discarded.
    Dead,
    /// Waiting, perhaps in backoff; now due, or discarded.
    Waiting,
    /// Running; not changed.
    Running,
    /// There is no such job.
    Unknown,
}

/// Requeues a dead job with its attempts reset, or makes a waiting job due now.
pub fn retry(connection: &mut PgConnection, job: JobId, by: &str) -> QueryResult<Handled> {
    connection.transaction(|connection| {
        match revive(connection, job, by)? {
            Revival::Done { queue } => {
                wake(connection, &queue)?;
                return Ok(Handled::Dead);
            }
            Revival::TooLate => return pending_or_unknown(connection, job),
            Revival::NotDead => {}
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

/// Requeues a job with its attempts reset if it is still dead; false if it is not.
pub fn retry_dead(connection: &mut PgConnection, job: JobId, by: &str) -> QueryResult<bool> {
    connection.transaction(|connection| match revive(connection, job, by)? {
        Revival::Done { queue } => wake(connection, &queue).map(|()| true),
        Revival::TooLate | Revival::NotDead => Ok(false),
    })
}

enum Revival {
    Done {
        queue: String,
    },
    /// It was dead, and somebody else has retried or discarded it at this moment.
    TooLate,
    NotDead,
}

/// Moves a dead job back to the pending ones. In an ordered key its place is before all jobs that
/// arrived later, except the one that has the turn.
fn revive(connection: &mut PgConnection, job: JobId, by: &str) -> QueryResult<Revival> {
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
                    SELECT FROM jobs WHERE jobs.kind = requested.kind AND jobs.key = requested.key AND jobs.turn) END, {NEXT_LAP}
         FROM revived AS requested
         RETURNING queue, kind, key, turn",
    ))
    .bind::<BigInt, _>(job)
    .bind::<Text, _>(by)
    .get_results(connection)?;
    Ok(match revived.into_iter().next() {
        Some(RemovedRow { queue, .. }) => Revival::Done { queue },
        None if dead.is_empty() => Revival::NotDead,
        None => Revival::TooLate,
    })
}

/// Discards a dead or waiting job without running it. The receipt holds the operator and the reason.
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
                row.pass_turn(connection)?;
                return Ok(handled);
            }
        }
        absent_or_running(connection, job)
    })
}

fn absent_or_running(connection: &mut PgConnection, job: JobId) -> QueryResult<Handled> {
    Ok(if is_pending(connection, job)? { Handled::Running } else { Handled::Unknown })
}

fn pending_or_unknown(connection: &mut PgConnection, job: JobId) -> QueryResult<Handled> {
    Ok(if is_pending(connection, job)? { Handled::Waiting } else { Handled::Unknown })
}

fn is_pending(connection: &mut PgConnection, job: JobId) -> QueryResult<bool> {
    let rows: Vec<IdRow> =
        sql_query("SELECT id FROM jobs WHERE id = $1").bind::<BigInt, _>(job).get_results(connection)?;
    Ok(!rows.is_empty())
}
