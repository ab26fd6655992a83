//! Every statement of a job's own life. Read from top to bottom this is the state diagram:
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
//! A job of an ordered kind that stands behind another one of its key has `turn = false` and is never due; whoever
//! removes the row in front [hands on](hand_on) the turn. Every end of an attempt leaves a receipt in `job_history`.
//!
//! The clock is always the database's, and `clock_timestamp()`, because `now()` stands still within a transaction.
//! `enqueue.rs` has the statement that adds a row, `intervention.rs` those of operators, `sweep.rs` those of the sweep.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Jsonb, Nullable, Text};
use diesel::{PgConnection, QueryResult, sql_query};
use serde_json::Value;

use super::JobId;
use crate::statement::statement;

/// The channel on which `enqueue` wakes the workers of a queue, also in other processes.
pub fn wake_channel(queue: &str) -> String {
    format!("supercargo_wake_{queue}")
}

/// The channel on which finished jobs are announced; its payload is their ids, separated by commas.
pub const FINISHED_CHANNEL: &str = "supercargo_finished";

/// Ids in one announcement: a payload holds 8,000 bytes, and an id has up to 20 characters.
const ANNOUNCED_TOGETHER: i64 = 350;

/// Keeps our advisory locks on keys apart from those of other programs in the same database.
const KEY_LOCKS: i64 = 0x6a6f_626b_6579;

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
    /// The request that asked for it.
    #[diesel(sql_type = Nullable<Text>)]
    pub request_id: Option<String>,
    /// Starts before this one.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = BigInt)]
    pub claim_no: i64,
    /// The kind is ordered, and it is this row's turn.
    #[diesel(sql_type = Bool)]
    pub ordered: bool,
    /// It was started, and the end of that is not on record: its worker is gone.
    #[diesel(sql_type = Bool)]
    pub lost: bool,
    #[diesel(sql_type = Nullable<Text>)]
    pub last_error: Option<String>,
    /// How long it has been due, in seconds.
    #[diesel(sql_type = Double)]
    pub waited: f64,
}

/// Whether a row was started and no end of that is on record.
pub(super) const LOST: &str = "(claimed_at IS NOT NULL AND (last_failed_at IS NULL OR last_failed_at < claimed_at))";

/// The lap of a job that is about to be added, as a part of a statement in which `asked` has its queue, its priority and who
/// requested it: the lap after the requester's last one, and at least the one that the queue is in.
///
/// The queue is in the lap of its first due job. Rows before that one run or are delayed; of these the first hundred are
/// looked at, so that neither a batch that runs nor some jobs in a long backoff hold the laps back, and so that the cost has
/// a bound.
pub(super) const NEXT_LAP: &str = "greatest(
    0,
    (SELECT coalesce(min(head.lap) FILTER (WHERE head.run_at <= clock_timestamp()), max(head.lap))
     FROM (SELECT jobs.lap, jobs.run_at FROM jobs
           WHERE jobs.queue = asked.queue AND jobs.priority = asked.priority AND jobs.turn IS NOT FALSE
           ORDER BY jobs.queue, jobs.priority DESC, jobs.lap, jobs.id LIMIT 100) AS head),
    (SELECT max(jobs.lap) + 1 FROM jobs
     WHERE jobs.queue = asked.queue AND jobs.priority = asked.priority
           AND left(coalesce(jobs.requested_by, ''), 200) = left(coalesce(asked.requested_by, ''), 200)))";

/// The first due rows of a queue in the order of their claim, except those that another transaction holds; locks them.
/// Within a priority that order is lap by lap, and a lap has one job of each requester.
/// `NO KEY`, because a full `FOR UPDATE` would block inserts elsewhere that refer to the row.
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

/// Writes into the history that the last start of these rows was never heard of again.
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

/// The first step of a claim: the start is on record before anything is done.
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

/// The second step of a claim: locks those rows that still carry the claim number, waiting for each lock in the order of
/// ids, and answers which they are. `limit` bounds what the transaction may do from here on, from the database's side:
/// one statement, or a silence between two.
pub fn hold(
    connection: &mut PgConnection,
    claims: &[(JobId, i64)],
    limit: Option<Duration>,
) -> QueryResult<Vec<JobId>> {
    lock_claims(connection, claims, limit, "")
}

/// The mistake of skipping what somebody else holds for a moment: such a claim is lost until its gap is over.
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
    // Settings follow the aggregate, and so the last lock. They end with the transaction.
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

/// Those of the claims that nobody has taken over.
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

/// Deletes held rows that are done, leaves their receipts in the history, announces them, and answers which they were:
/// a row that is not held under this number any more is not among them.
pub fn finish(
    connection: &mut PgConnection,
    jobs: &[(JobId, i64, Option<String>)],
    worker: &str,
) -> QueryResult<Vec<JobId>> {
    #[derive(QueryableByName)]
    struct Told {
        #[diesel(sql_type = Array<BigInt>)]
        ids: Vec<JobId>,
    }
    let ids: Vec<_> = jobs.iter().map(|job| job.0).collect();
    let claim_nos: Vec<_> = jobs.iter().map(|job| job.1).collect();
    let details: Vec<_> = jobs.iter().map(|job| job.2.as_deref()).collect();
    let told: Vec<Told> = statement(
        "WITH done AS (
            DELETE FROM jobs USING unnest($1, $2, $3) AS claim (id, claim_no, detail)
            WHERE jobs.id = claim.id AND jobs.claim_no = claim.claim_no
            RETURNING jobs.*, claim.detail),
         noted AS (
            INSERT INTO job_history (id, queue, kind, key, requested_by, request_id, created_at, started_at, attempts, finished_by,
                                     outcome, detail)
            SELECT id, queue, kind, key, requested_by, request_id, created_at, claimed_at, attempts, $4, 'done', detail FROM done
            RETURNING id),
         told AS (
            SELECT array_agg(id) AS ids
            FROM (SELECT id, (row_number() OVER () - 1) / $5 AS part FROM noted) AS numbered GROUP BY part)
         SELECT ids, pg_notify($6, array_to_string(ids, ',')) FROM told",
    )
    .bind::<Array<BigInt>, _>(&ids)
    .bind::<Array<BigInt>, _>(claim_nos)
    .bind::<Array<Nullable<Text>>, _>(details)
    .bind::<Text, _>(worker)
    .bind::<BigInt, _>(ANNOUNCED_TOGETHER)
    .bind::<Text, _>(FINISHED_CHANNEL)
    .get_results(connection)?;
    Ok(told.into_iter().flat_map(|told| told.ids).collect())
}

/// Writes a failure of the job's own to its held row. Backoff counts from now, the end of the attempt.
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

/// Writes a failure that was everybody's: the attempt is given back, and the job waits for the queue to recover. An
/// outage leaves one receipt a job, not one each time it is tried.
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

/// A job of the queue succeeded: whatever waits because of a shared failure may run now. Rows that somebody holds are
/// left alone; they are being tried anyway.
pub fn recover(connection: &mut PgConnection, queue: &str) -> QueryResult<usize> {
    statement(
        "UPDATE jobs SET run_at = clock_timestamp(), awaits_recovery = false
         WHERE id IN (SELECT id FROM jobs WHERE queue = $1 AND awaits_recovery FOR NO KEY UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(queue)
    .execute(connection)
}

/// Moves a locked row that was tried too often to `dead_jobs`, and lets the next of its key go on.
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
        row.let_the_next_go_on(connection)?;
    }
    Ok(dead.len())
}

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
    pub(super) fn let_the_next_go_on(&self, connection: &mut PgConnection) -> QueryResult<()> {
        if let (Some(key), Some(_)) = (&self.key, self.turn) {
            hand_on(connection, &self.queue, &self.kind, key)?;
        }
        Ok(())
    }
}

/// Gives the turn of a key to its oldest row, unless one has it. To be called after the row in front was removed, in the
/// same transaction: the lock on the key makes those who enqueue at this moment wait, and then see it gone.
pub fn hand_on(connection: &mut PgConnection, queue: &str, kind: &str, key: &str) -> QueryResult<bool> {
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

/// Locks a key of an ordered kind to the end of the transaction.
pub(super) fn lock_key(connection: &mut PgConnection, kind: &str, key: &str) -> QueryResult<()> {
    sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, $3))")
        .bind::<Text, _>(kind)
        .bind::<Text, _>(key)
        .bind::<BigInt, _>(KEY_LOCKS)
        .execute(connection)
        .map(drop)
}

/// Wakes the workers of a queue when the transaction commits.
pub(super) fn wake(connection: &mut PgConnection, queue: &str) -> QueryResult<()> {
    sql_query("SELECT pg_notify($1, '')").bind::<Text, _>(wake_channel(queue)).execute(connection).map(drop)
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Why a job that never came back is dead. What it said before counts as well.
pub(super) fn killed_each_time(attempts: i32, last_error: Option<&str>) -> String {
    let killed = format!("started {attempts} times and not heard of again: the process was killed while it ran");
    match last_error {
        None => killed,
        Some(error) => format!("{killed}; the last failure it recorded: {error}"),
    }
}
