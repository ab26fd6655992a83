//! The states of a job's life, and the statements that end an attempt. The state diagram:
//!
//! ```text
//!               enqueue
//!                  │
//!                  ▼        fail: error, backoff
//!     ┌──────▶  waiting  ◀──────────────────────────┐
//!     │            │ due  + touch: attempts, claim_no │
//!     │ gap over   ▼                                 │
//!     └──────── claimed ──── hold: row lock ───▶ running ──── finish ───▶ job_history: done
//!                  │                                 │
//!                  │ started too often               │ failed too often
//!                  ▼                                 ▼
//!                bury ──────────▶ dead_jobs ◀─────  bury
//!                                     │  retry: back to waiting
//!                                     ▼  discard: to job_history
//! ```
//!
//! A job of an ordered kind that stands behind another one of its key has `turn = false` and is never due; the transaction
//! that removes the row in front [passes the turn](super::order::pass_turn). Every end of an attempt leaves a receipt in
//! `job_history`.
//!
//! All times are from the database's clock, by `clock_timestamp()`, because `now()` is constant within a transaction.
//! The statement that adds a row is in `enqueue.rs`, those of touch and hold are in `claim.rs`, those of operators in
//! `intervention.rs`, those of the sweep in `sweep.rs`.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel::{PgConnection, QueryResult, sql_query};

use super::channels::FINISHED_CHANNEL;
use super::job::JobId;
use super::order::RemovedRow;
use crate::statement::statement;

/// Ids in one notification: a payload holds 8,000 bytes, and an id has up to 20 characters.
const IDS_PER_NOTIFICATION: i64 = 350;

#[derive(QueryableByName)]
pub(super) struct IdRow {
    #[diesel(sql_type = BigInt)]
    pub id: JobId,
}

/// A job whose work is done: its id, its claim number and its result.
pub type Done = (JobId, i64, Option<String>);

/// What [`finish`] did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// The deleted rows.
    pub ids: Vec<JobId>,
    /// Jobs that waited for the end of an outage and are due now.
    pub recovered: i64,
}

/// Deletes held rows that are done, writes their receipts and notifies those who wait. A row with another claim number is
/// left alone. The success also ends an outage: all jobs of the queue become due that wait for that. Locked rows among
/// them are left alone, because they run already.
pub fn finish(connection: &mut PgConnection, queue: &str, jobs: &[Done], worker: &str) -> QueryResult<Finished> {
    #[derive(QueryableByName)]
    struct Announced {
        #[diesel(sql_type = Array<BigInt>)]
        ids: Vec<JobId>,
        #[diesel(sql_type = BigInt)]
        recovered: i64,
    }
    let ids: Vec<_> = jobs.iter().map(|job| job.0).collect();
    let claim_nos: Vec<_> = jobs.iter().map(|job| job.1).collect();
    let details: Vec<_> = jobs.iter().map(|job| job.2.as_deref()).collect();
    let announced: Vec<Announced> = statement(
        "WITH done AS (
            DELETE FROM jobs USING (SELECT $1 AS ids, $2 AS claim_nos, $3 AS details) AS claim
            WHERE jobs.id = ANY(claim.ids) AND jobs.claim_no = claim.claim_nos[array_position(claim.ids, jobs.id)]
            RETURNING jobs.*, claim.details[array_position(claim.ids, jobs.id)] AS detail),
         noted AS (
            INSERT INTO job_history (id, queue, kind, key, requested_by, request_id, created_at, started_at, attempts, finished_by,
                                     outcome, detail)
            SELECT id, queue, kind, key, requested_by, request_id, created_at, claimed_at, attempts, $4, 'done', detail FROM done
            RETURNING id),
         recovered AS (
            UPDATE jobs SET run_at = clock_timestamp(), awaits_recovery = false
            WHERE id = ANY(ARRAY(SELECT id FROM jobs WHERE queue = $5 AND awaits_recovery FOR NO KEY UPDATE SKIP LOCKED))
            RETURNING id),
         announced AS (
            SELECT array_agg(id) AS ids
            FROM (SELECT id, (row_number() OVER () - 1) / $6 AS part FROM noted) AS numbered GROUP BY part)
         SELECT ids, pg_notify($7, array_to_string(ids, ',')), (SELECT count(*) FROM recovered) AS recovered FROM announced",
    )
    .bind::<Array<BigInt>, _>(&ids)
    .bind::<Array<BigInt>, _>(claim_nos)
    .bind::<Array<Nullable<Text>>, _>(details)
    .bind::<Text, _>(worker)
    .bind::<Text, _>(queue)
    .bind::<BigInt, _>(IDS_PER_NOTIFICATION)
    .bind::<Text, _>(FINISHED_CHANNEL)
    .get_results(connection)?;
    let recovered = announced.first().map_or(0, |row| row.recovered);
    Ok(Finished { ids: announced.into_iter().flat_map(|row| row.ids).collect(), recovered })
}

/// Writes a failure of the job to its held row. Backoff counts from now, the end of the attempt.
pub fn fail(
    connection: &mut PgConnection,
    job: JobId,
    claim_no: i64,
    error: &str,
    wait: Duration,
) -> QueryResult<usize> {
    sql_query(
        "WITH failed AS (
            UPDATE jobs
            SET last_error = $3, last_failed_at = clock_timestamp(), awaits_recovery = false,
                run_at = clock_timestamp() + $4 * interval '1 millisecond'
            WHERE id = $1 AND claim_no = $2
            RETURNING *)
         INSERT INTO job_history (id, queue, kind, key, requested_by, request_id, created_at, started_at, attempts, finished_by,
                                  outcome, error)
         SELECT id, queue, kind, key, requested_by, request_id, created_at, claimed_at, attempts, claimed_by, 'failed', $3
         FROM failed",
    )
    .bind::<BigInt, _>(job)
    .bind::<BigInt, _>(claim_no)
    .bind::<Text, _>(error)
    .bind::<BigInt, _>(milliseconds(wait))
    .execute(connection)
}

/// Writes an outage to a held row: the attempt does not count, and the job waits for the queue to recover. An outage
/// leaves one receipt per job, not one per attempt.
pub fn give_back(
    connection: &mut PgConnection,
    job: JobId,
    claim_no: i64,
    error: &str,
    wait: Duration,
) -> QueryResult<usize> {
    let given: Vec<IdRow> = sql_query(
        "WITH before AS (SELECT id, attempts, last_error FROM jobs WHERE id = $1 AND claim_no = $2 FOR NO KEY UPDATE),
         given AS (
            UPDATE jobs
            SET attempts = greatest(jobs.attempts - 1, 0), last_error = $3, last_failed_at = clock_timestamp(),
                awaits_recovery = true, run_at = clock_timestamp() + $4 * interval '1 millisecond'
            FROM before WHERE jobs.id = before.id
            RETURNING jobs.*, before.attempts AS started, before.last_error AS last_error_before),
         noted AS (
            INSERT INTO job_history (id, queue, kind, key, requested_by, request_id, created_at, started_at, attempts, finished_by,
                                     outcome, error)
            SELECT id, queue, kind, key, requested_by, request_id, created_at, claimed_at, started, claimed_by, 'failed', $3
            FROM given WHERE last_error_before IS DISTINCT FROM $3)
         SELECT id FROM given",
    )
    .bind::<BigInt, _>(job)
    .bind::<BigInt, _>(claim_no)
    .bind::<Text, _>(error)
    .bind::<BigInt, _>(milliseconds(wait))
    .get_results(connection)?;
    Ok(given.len())
}

/// Moves a locked row that has used up its attempts to `dead_jobs`, and passes its turn to the next job of its key.
pub fn bury(connection: &mut PgConnection, job: JobId, claim_no: i64, error: &str) -> QueryResult<usize> {
    let dead: Vec<RemovedRow> = sql_query(
        "WITH dead AS (DELETE FROM jobs WHERE id = $1 AND claim_no = $2 RETURNING *),
         kept AS (
            INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, requested_by, request_id, created_at, attempts,
                                   claim_no, last_error, ordered)
            SELECT id, queue, kind, key, payload, priority, requested_by, request_id, created_at, attempts, claim_no, $3,
                   turn IS NOT NULL
            FROM dead),
         noted AS (
            INSERT INTO job_history (id, queue, kind, key, requested_by, request_id, created_at, started_at, attempts, finished_by,
                                     outcome, error)
            SELECT id, queue, kind, key, requested_by, request_id, created_at, claimed_at, attempts, claimed_by, 'dead', $3
            FROM dead)
         SELECT queue, kind, key, turn FROM dead",
    )
    .bind::<BigInt, _>(job)
    .bind::<BigInt, _>(claim_no)
    .bind::<Text, _>(error)
    .get_results(connection)?;
    for row in &dead {
        row.pass_turn(connection)?;
    }
    Ok(dead.len())
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The error of a job whose process died in every attempt, with the last error that was recorded before.
pub(super) fn killed_each_time(attempts: i32, last_error: Option<&str>) -> String {
    let killed = format!("started {attempts} times without a result: the process was killed each time");
    match last_error {
        None => killed,
        Some(error) => format!("{killed}; the last recorded error: {error}"),
    }
}
