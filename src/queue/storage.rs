//! Every statement that changes a row of the queue. Read from top to bottom this is the life of a job:
//!
//! ```text
//!               enqueue
//!                  │
//!                  ▼        fail: error, backoff
//!     ┌──────▶  waiting  ◀──────────────────────────┐
//!     │            │ due  + touch: attempts, claim_no │
//!     │ gap over   ▼                                 │
//!     └──────── claimed ──── hold: row lock ───▶ running ──── finish ───▶ job_history
//!                  │                                 │
//!                  │ started too often               │ failed too often
//!                  ▼                                 ▼
//!                bury ──────────▶ dead_jobs ◀─────  bury
//!                                     │  revive: back to waiting
//!                                     ▼  discard: to job_history
//! ```
//!
//! The clock is always the database's, and `clock_timestamp()`, because `now()` stands still within a transaction.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, SmallInt, Text};
use diesel::{PgConnection, QueryResult, sql_query};
use serde_json::Value;

use super::{Job, JobId};

/// The channel on which `enqueue` wakes the workers of a queue, also in other processes.
pub fn wake_channel(queue: &str) -> String {
    format!("supercargo_wake_{queue}")
}

/// The channel on which finished jobs are announced; its payload is their ids, separated by commas.
pub const FINISHED_CHANNEL: &str = "supercargo_finished";

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: JobId,
}

/// A job about to be enqueued.
pub struct Enqueue<'a, J> {
    job: &'a J,
    requested_by: Option<&'a str>,
    delay: Duration,
}

impl<'a, J: Job> Enqueue<'a, J> {
    pub fn new(job: &'a J) -> Self {
        Self { job, requested_by: None, delay: Duration::ZERO }
    }

    /// Who asked for it, for the history.
    pub fn requested_by(mut self, who: &'a str) -> Self {
        self.requested_by = Some(who);
        self
    }

    /// Not to be started earlier than this from now.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Adds the job. It is owed when the caller's transaction commits, together with whatever else that does.
    pub fn insert(self, connection: &mut PgConnection) -> Result<JobId, EnqueueError> {
        let payload = serde_json::to_value(self.job).map_err(EnqueueError::Payload)?;
        let row: IdRow = sql_query(
            "WITH added AS (
                INSERT INTO jobs (queue, kind, key, payload, priority, requested_by, run_at)
                VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + $7 * interval '1 millisecond')
                RETURNING id)
             SELECT id FROM added, pg_notify($8, '')",
        )
        .bind::<Text, _>(J::POLICY.queue)
        .bind::<Text, _>(J::KIND)
        .bind::<Nullable<Text>, _>(self.job.key())
        .bind::<Jsonb, _>(payload)
        .bind::<SmallInt, _>(J::POLICY.priority)
        .bind::<Nullable<Text>, _>(self.requested_by)
        .bind::<BigInt, _>(milliseconds(self.delay))
        .bind::<Text, _>(wake_channel(J::POLICY.queue))
        .get_result(connection)?;
        Ok(row.id)
    }
}

/// Why a job could not be added.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    #[error("the job can't be written as JSON")]
    Payload(#[source] serde_json::Error),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
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
    /// Starts before this one.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = BigInt)]
    pub claim_no: i64,
}

/// The first due rows of a queue in the order of their claim, except those that another transaction holds; locks them.
/// `NO KEY`, because a full `FOR UPDATE` would block inserts elsewhere that refer to the row.
pub fn lock_due(connection: &mut PgConnection, queue: &str, kinds: &[&str], limit: usize) -> QueryResult<Vec<DueJob>> {
    sql_query(
        "SELECT id, kind, key, payload, attempts, claim_no FROM jobs
         WHERE queue = $1 AND kind = ANY($2) AND run_at <= clock_timestamp()
         ORDER BY priority DESC, id
         LIMIT $3
         FOR NO KEY UPDATE SKIP LOCKED",
    )
    .bind::<Text, _>(queue)
    .bind::<Array<Text>, _>(kinds)
    .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
    .get_results(connection)
}

/// The first step of a claim: the start is on record before anything is done.
pub fn touch(connection: &mut PgConnection, jobs: &[JobId], worker: &str, gap: Duration) -> QueryResult<usize> {
    sql_query(
        "UPDATE jobs
         SET attempts = attempts + 1, claim_no = claim_no + 1, claimed_at = clock_timestamp(), claimed_by = $2,
             awaits_recovery = false, run_at = clock_timestamp() + $3 * interval '1 millisecond'
         WHERE id = ANY($1)",
    )
    .bind::<Array<BigInt>, _>(jobs)
    .bind::<Text, _>(worker)
    .bind::<BigInt, _>(milliseconds(gap))
    .execute(connection)
}

/// The second step of a claim: locks those rows that still carry the claim number, waiting for each lock in the order of
/// ids, and answers which they are.
pub fn hold(connection: &mut PgConnection, claims: &[(JobId, i64)]) -> QueryResult<Vec<JobId>> {
    let (ids, claim_nos): (Vec<_>, Vec<_>) = claims.iter().copied().unzip();
    let rows: Vec<IdRow> = sql_query(
        "SELECT jobs.id FROM jobs
         JOIN unnest($1, $2) AS claim (id, claim_no) ON jobs.id = claim.id AND jobs.claim_no = claim.claim_no
         ORDER BY jobs.id
         FOR NO KEY UPDATE OF jobs",
    )
    .bind::<Array<BigInt>, _>(ids)
    .bind::<Array<BigInt>, _>(claim_nos)
    .get_results(connection)?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Deletes held rows that are done, leaves their receipts in the history and announces them.
pub fn finish(
    connection: &mut PgConnection,
    jobs: &[(JobId, i64, Option<String>)],
    worker: &str,
) -> QueryResult<usize> {
    let ids: Vec<_> = jobs.iter().map(|job| job.0).collect();
    let claim_nos: Vec<_> = jobs.iter().map(|job| job.1).collect();
    let details: Vec<_> = jobs.iter().map(|job| job.2.as_deref()).collect();
    sql_query(
        "WITH done AS (
            DELETE FROM jobs USING unnest($1, $2, $3) AS claim (id, claim_no, detail)
            WHERE jobs.id = claim.id AND jobs.claim_no = claim.claim_no
            RETURNING jobs.*, claim.detail),
         noted AS (
            INSERT INTO job_history (id, queue, kind, key, requested_by, created_at, started_at, attempts, finished_by,
                                     outcome, detail)
            SELECT id, queue, kind, key, requested_by, created_at, claimed_at, attempts, $4, 'done', detail FROM done
            RETURNING id)
         SELECT pg_notify($5, string_agg(id::text, ',')) FROM noted HAVING count(*) > 0",
    )
    .bind::<Array<BigInt>, _>(&ids)
    .bind::<Array<BigInt>, _>(claim_nos)
    .bind::<Array<Nullable<Text>>, _>(details)
    .bind::<Text, _>(worker)
    .bind::<Text, _>(FINISHED_CHANNEL)
    .execute(connection)
    .map(|_| ids.len())
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
        "UPDATE jobs
         SET last_error = $3, last_failed_at = clock_timestamp(), awaits_recovery = false,
             run_at = clock_timestamp() + $4 * interval '1 millisecond'
         WHERE id = $1 AND claim_no = $2",
    )
    .bind::<BigInt, _>(job)
    .bind::<BigInt, _>(claim_no)
    .bind::<Text, _>(error)
    .bind::<BigInt, _>(milliseconds(wait))
    .execute(connection)
}

/// Writes a failure that was everybody's: the attempt is given back, and the job waits for the queue to recover.
pub fn give_back(
    connection: &mut PgConnection,
    job: JobId,
    claim_no: i64,
    error: &str,
    wait: Duration,
) -> QueryResult<usize> {
    sql_query(
        "UPDATE jobs
         SET attempts = greatest(attempts - 1, 0), last_error = $3, last_failed_at = clock_timestamp(),
             awaits_recovery = true, run_at = clock_timestamp() + $4 * interval '1 millisecond'
         WHERE id = $1 AND claim_no = $2",
    )
    .bind::<BigInt, _>(job)
    .bind::<BigInt, _>(claim_no)
    .bind::<Text, _>(error)
    .bind::<BigInt, _>(milliseconds(wait))
    .execute(connection)
}

/// A job of the queue succeeded: whatever waits because of a shared failure may run now. Rows that somebody holds are
/// left alone; they are being tried anyway.
pub fn recover(connection: &mut PgConnection, queue: &str) -> QueryResult<usize> {
    sql_query(
        "UPDATE jobs SET run_at = clock_timestamp(), awaits_recovery = false
         WHERE id IN (SELECT id FROM jobs WHERE queue = $1 AND awaits_recovery FOR NO KEY UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(queue)
    .execute(connection)
}

/// Moves a locked row that was tried too often to `dead_jobs`.
pub fn bury(connection: &mut PgConnection, job: JobId, claim_no: i64, error: &str) -> QueryResult<usize> {
    sql_query(
        "WITH dead AS (DELETE FROM jobs WHERE id = $1 AND claim_no = $2 RETURNING *)
         INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, requested_by, created_at, attempts, claim_no,
                                last_error)
         SELECT id, queue, kind, key, payload, priority, requested_by, created_at, attempts, claim_no, $3 FROM dead",
    )
    .bind::<BigInt, _>(job)
    .bind::<BigInt, _>(claim_no)
    .bind::<Text, _>(error)
    .execute(connection)
}

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
pub fn retry(connection: &mut PgConnection, job: JobId) -> QueryResult<Handled> {
    connection.transaction(|connection| {
        let revived: Vec<QueueRow> = sql_query(
            "WITH revived AS (DELETE FROM dead_jobs WHERE id = $1 RETURNING *)
             INSERT INTO jobs (id, queue, kind, key, payload, priority, requested_by, created_at, claim_no, last_error)
             SELECT id, queue, kind, key, payload, priority, requested_by, created_at, claim_no, last_error FROM revived
             RETURNING queue",
        )
        .bind::<BigInt, _>(job)
        .get_results(connection)?;
        if let Some(row) = revived.first() {
            wake(connection, &row.queue)?;
            return Ok(Handled::Dead);
        }
        let due: Vec<QueueRow> = sql_query(
            "UPDATE jobs SET run_at = clock_timestamp()
             WHERE id = (SELECT id FROM jobs WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED)
             RETURNING queue",
        )
        .bind::<BigInt, _>(job)
        .get_results(connection)?;
        if let Some(row) = due.first() {
            wake(connection, &row.queue)?;
            return Ok(Handled::Waiting);
        }
        absent_or_running(connection, job)
    })
}

/// Ends a dead or waiting job without doing it. Its receipt says who did so and why.
pub fn discard(connection: &mut PgConnection, job: JobId, by: &str, reason: &str) -> QueryResult<Handled> {
    let note = |table: &str| {
        format!(
            "WITH ended AS (
                DELETE FROM {table} WHERE id = (SELECT id FROM {table} WHERE id = $1 FOR UPDATE SKIP LOCKED) RETURNING *)
             INSERT INTO job_history (id, queue, kind, key, requested_by, created_at, attempts, finished_by, outcome, detail)
             SELECT id, queue, kind, key, requested_by, created_at, attempts, $2, 'discarded', $3 FROM ended"
        )
    };
    connection.transaction(|connection| {
        for (table, handled) in [("dead_jobs", Handled::Dead), ("jobs", Handled::Waiting)] {
            let ended = sql_query(note(table))
                .bind::<BigInt, _>(job)
                .bind::<Text, _>(by)
                .bind::<Text, _>(reason)
                .execute(connection)?;
            if ended > 0 {
                return Ok(handled);
            }
        }
        absent_or_running(connection, job)
    })
}

#[derive(QueryableByName)]
struct QueueRow {
    #[diesel(sql_type = Text)]
    queue: String,
}

/// Whether a job of this kind is owed, running ones included.
pub fn any_owed(connection: &mut PgConnection, kind: &str) -> QueryResult<bool> {
    let rows: Vec<IdRow> =
        sql_query("SELECT id FROM jobs WHERE kind = $1 LIMIT 1").bind::<Text, _>(kind).get_results(connection)?;
    Ok(!rows.is_empty())
}

fn wake(connection: &mut PgConnection, queue: &str) -> QueryResult<usize> {
    sql_query("SELECT pg_notify($1, '')").bind::<Text, _>(wake_channel(queue)).execute(connection)
}

fn absent_or_running(connection: &mut PgConnection, job: JobId) -> QueryResult<Handled> {
    let rows: Vec<IdRow> =
        sql_query("SELECT id FROM jobs WHERE id = $1").bind::<BigInt, _>(job).get_results(connection)?;
    Ok(if rows.is_empty() { Handled::Unknown } else { Handled::Running })
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
