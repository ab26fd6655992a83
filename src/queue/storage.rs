//! The statements of a job's life. The state diagram:
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
//! The statement that adds a row is in `enqueue.rs`, those of operators in `intervention.rs`, those of the sweep in
//! `sweep.rs`.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Jsonb, Nullable, Text};
use diesel::{PgConnection, QueryResult, sql_query};
use serde_json::Value;

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

/// A row that is due, locked by the current transaction.
#[derive(QueryableByName, Debug, Clone)]
pub struct DueJob {
    #[diesel(sql_type = BigInt)]
    pub id: JobId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub key: Option<String>,
    #[diesel(sql_type = Jsonb)]
    pub payload: Value,
    /// The request that enqueued it.
    #[diesel(sql_type = Nullable<Text>)]
    pub request_id: Option<String>,
    /// Earlier starts.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = BigInt)]
    pub claim_no: i64,
    /// Whether the kind is ordered; then it is this row's turn.
    #[diesel(sql_type = Bool)]
    pub ordered: bool,
    /// Whether it was started and the end is not recorded: its worker is gone.
    #[diesel(sql_type = Bool)]
    pub lost: bool,
    #[diesel(sql_type = Nullable<Text>)]
    pub last_error: Option<String>,
    /// How long it has been due, in seconds.
    #[diesel(sql_type = Double)]
    pub waited: f64,
}

/// SQL: the row was started and the end of that attempt is not recorded.
pub(super) const LOST: &str = "(claimed_at IS NOT NULL AND (last_failed_at IS NULL OR last_failed_at < claimed_at))";

/// Locks the first due rows of a queue, except those that another transaction has locked, by priority and then lap by
/// lap. A lap has one job of each requester. `NO KEY`, because a full `FOR UPDATE` would block inserts that refer to the
/// row.
pub fn lock_due(connection: &mut PgConnection, queue: &str, kinds: &[&str], limit: usize) -> QueryResult<Vec<DueJob>> {
    statement(format!(
        "SELECT id, kind, key, payload, request_id, attempts, claim_no, turn IS NOT NULL AS ordered, {LOST} AS lost, last_error,
                extract(epoch FROM clock_timestamp() - run_at)::float8 AS waited
         FROM jobs
         WHERE queue = $1 AND kind = ANY($2) AND run_at <= clock_timestamp() AND turn IS NOT FALSE
         ORDER BY priority DESC, lap, id
         LIMIT $3
         FOR NO KEY UPDATE SKIP LOCKED"
    ))
    .bind::<Text, _>(queue)
    .bind::<Array<Text>, _>(kinds)
    .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
    .get_results(connection)
}

/// Records in the history that the worker of these rows' last start is gone.
pub fn note_lost(connection: &mut PgConnection, jobs: &[JobId]) -> QueryResult<usize> {
    sql_query(
        "INSERT INTO job_history (id, queue, kind, key, requested_by, request_id, created_at, started_at, attempts, finished_by,
                                  outcome)
         SELECT id, queue, kind, key, requested_by, request_id, created_at, claimed_at, attempts, claimed_by, 'lost'
         FROM jobs WHERE id = ANY($1)",
    )
    .bind::<Array<BigInt>, _>(jobs)
    .execute(connection)
}

/// The first step of a claim: records the start before any work is done.
pub fn touch(connection: &mut PgConnection, jobs: &[JobId], worker: &str, gap: Duration) -> QueryResult<usize> {
    statement(
        "UPDATE jobs
         SET attempts = attempts + 1, claim_no = claim_no + 1, claimed_at = clock_timestamp(), claimed_by = $1,
             awaits_recovery = false, run_at = clock_timestamp() + $2 * interval '1 millisecond'
         WHERE id = ANY($3)",
    )
    .bind::<Text, _>(worker)
    .bind::<BigInt, _>(milliseconds(gap))
    .bind::<Array<BigInt>, _>(jobs)
    .execute(connection)
}

/// The second step of a claim: locks the rows that still have the claim number, waiting for each lock in the order of
/// ids, and gives their ids. From here on the database limits each statement of the transaction, and each pause between
/// two, to `limit`.
pub fn hold(
    connection: &mut PgConnection,
    claims: &[(JobId, i64)],
    limit: Option<Duration>,
) -> QueryResult<Vec<JobId>> {
    lock_claims(connection, claims, limit, "")
}

/// A deliberate mistake for the tests: skipping rows that are locked for a moment loses the claim until its gap is over.
#[cfg(any(debug_assertions, feature = "fail-points"))]
pub(super) fn hold_skipping(
    connection: &mut PgConnection,
    claims: &[(JobId, i64)],
    limit: Option<Duration>,
) -> QueryResult<Vec<JobId>> {
    lock_claims(connection, claims, limit, "SKIP LOCKED")
}

fn lock_claims(
    connection: &mut PgConnection,
    claims: &[(JobId, i64)],
    limit: Option<Duration>,
    waiting: &str,
) -> QueryResult<Vec<JobId>> {
    #[derive(QueryableByName)]
    struct Held {
        #[diesel(sql_type = Array<BigInt>)]
        ids: Vec<JobId>,
    }
    let (ids, claim_nos): (Vec<_>, Vec<_>) = claims.iter().copied().unzip();
    // Evaluated after the aggregate, and so after the last lock. The settings end with the transaction.
    let settings = match limit.map(|limit| limit.as_millis().max(1)) {
        None => String::new(),
        Some(limit) => format!(
            ", set_config('lock_timeout', '0', true), set_config('statement_timeout', '{limit}', true),
               set_config('idle_in_transaction_session_timeout', '{limit}', true)"
        ),
    };
    let held: Held = statement(format!(
        "SELECT coalesce(array_agg(id), '{{}}') AS ids {settings} FROM (
            SELECT jobs.id FROM jobs
            JOIN unnest($1, $2) AS claim (id, claim_no) ON jobs.id = claim.id AND jobs.claim_no = claim.claim_no
            ORDER BY jobs.id
            FOR NO KEY UPDATE OF jobs {waiting}) AS held"
    ))
    .bind::<Array<BigInt>, _>(ids)
    .bind::<Array<BigInt>, _>(claim_nos)
    .get_result(connection)?;
    Ok(held.ids)
}

/// The claims that no other worker has taken over.
pub fn still_claimed(connection: &mut PgConnection, claims: &[(JobId, i64)]) -> QueryResult<Vec<JobId>> {
    let (ids, claim_nos): (Vec<_>, Vec<_>) = claims.iter().copied().unzip();
    let rows: Vec<IdRow> = sql_query(
        "SELECT jobs.id FROM jobs
         JOIN unnest($1, $2) AS claim (id, claim_no) ON jobs.id = claim.id AND jobs.claim_no = claim.claim_no",
    )
    .bind::<Array<BigInt>, _>(ids)
    .bind::<Array<BigInt>, _>(claim_nos)
    .get_results(connection)?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Deletes held rows that are done, writes their receipts, notifies those who wait, and gives the ids of the deleted rows.
/// A row with another claim number is left alone.
pub fn finish(
    connection: &mut PgConnection,
    jobs: &[(JobId, i64, Option<String>)],
    worker: &str,
) -> QueryResult<Vec<JobId>> {
    #[derive(QueryableByName)]
    struct Announced {
        #[diesel(sql_type = Array<BigInt>)]
        ids: Vec<JobId>,
    }
    let ids: Vec<_> = jobs.iter().map(|job| job.0).collect();
    let claim_nos: Vec<_> = jobs.iter().map(|job| job.1).collect();
    let details: Vec<_> = jobs.iter().map(|job| job.2.as_deref()).collect();
    let announced: Vec<Announced> = statement(
        "WITH done AS (
            DELETE FROM jobs USING unnest($1, $2, $3) AS claim (id, claim_no, detail)
            WHERE jobs.id = claim.id AND jobs.claim_no = claim.claim_no
            RETURNING jobs.*, claim.detail),
         noted AS (
            INSERT INTO job_history (id, queue, kind, key, requested_by, request_id, created_at, started_at, attempts, finished_by,
                                     outcome, detail)
            SELECT id, queue, kind, key, requested_by, request_id, created_at, claimed_at, attempts, $4, 'done', detail FROM done
            RETURNING id),
         announced AS (
            SELECT array_agg(id) AS ids
            FROM (SELECT id, (row_number() OVER () - 1) / $5 AS part FROM noted) AS numbered GROUP BY part)
         SELECT ids, pg_notify($6, array_to_string(ids, ',')) FROM announced",
    )
    .bind::<Array<BigInt>, _>(&ids)
    .bind::<Array<BigInt>, _>(claim_nos)
    .bind::<Array<Nullable<Text>>, _>(details)
    .bind::<Text, _>(worker)
    .bind::<BigInt, _>(IDS_PER_NOTIFICATION)
    .bind::<Text, _>(FINISHED_CHANNEL)
    .get_results(connection)?;
    Ok(announced.into_iter().flat_map(|row| row.ids).collect())
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

/// Makes all jobs of the queue due that wait for the end of an outage, because one has succeeded. Locked rows are left
/// alone; they run already.
pub fn recover(connection: &mut PgConnection, queue: &str) -> QueryResult<usize> {
    statement(
        "UPDATE jobs SET run_at = clock_timestamp(), awaits_recovery = false
         WHERE id IN (SELECT id FROM jobs WHERE queue = $1 AND awaits_recovery FOR NO KEY UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(queue)
    .execute(connection)
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
