//! The statements of a claim: touch and hold.
//!
//! A cycle of a worker sends few of them, and workers keep their plans ([`session`](super::session)). So each is written in
//! a form in which even an old plan reads the table once at most: it finds rows in the order of the claim or by a list of
//! ids, never by a join.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Jsonb, Nullable, Text};
use diesel::{PgConnection, QueryResult, sql_query};
use serde_json::Value;

use super::job::JobId;
use super::storage::{IdRow, milliseconds};
use crate::statement::statement;

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
    /// The span that enqueued it, if its trace is recorded.
    #[diesel(sql_type = Nullable<Text>)]
    pub traceparent: Option<String>,
    /// Starts; before a touch the earlier ones.
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

/// The kinds of a queue, for a claim: the values of one kind have the same place in each list.
#[derive(Debug, Default)]
pub struct ClaimableKinds {
    pub kinds: Vec<&'static str>,
    /// Kinds with the same number run together.
    pub batches: Vec<i32>,
    /// The largest number of jobs that run together.
    pub sizes: Vec<i32>,
    /// Only jobs with fewer starts run together.
    pub fresh_below: Vec<i32>,
}

/// What [`touch_batch`] found.
#[derive(Debug, Default)]
pub struct Touched {
    /// The batch, with its new numbers.
    pub jobs: Vec<DueJob>,
    /// The first due job is not fresh. Nothing was touched.
    pub needs_care: bool,
    /// Due rows may be left.
    pub more: bool,
}

/// The first due rows of a queue, except those that another transaction has locked, by priority and then lap by lap. A lap
/// has one job of each requester. `NO KEY`, because a full `FOR UPDATE` would block inserts that refer to the row.
fn due() -> String {
    format!(
        "SELECT *, {LOST} AS lost, extract(epoch FROM clock_timestamp() - run_at)::float8 AS waited
         FROM jobs
         WHERE queue = $1 AND kind = ANY($2) AND run_at <= clock_timestamp() AND turn IS NOT FALSE
         ORDER BY priority DESC, lap, id
         LIMIT $3
         FOR NO KEY UPDATE SKIP LOCKED"
    )
}

/// SQL: the columns of a [`DueJob`].
const DUE_JOB: &str = "id, kind, key, payload, request_id, traceparent, attempts, claim_no, turn IS NOT NULL AS ordered, lost, last_error, waited";

/// The first step of a claim, in one statement: locks the first due rows, chooses from them the batch of the first one, and
/// counts their starts. If the first one is not fresh, it locks and changes nothing for longer than the statement.
///
/// A row that was changed between the statement's snapshot and its lock is touched as it is now, because PostgreSQL repeats
/// the conditions on the locked row.
pub fn touch_batch(
    connection: &mut PgConnection,
    queue: &str,
    kinds: &ClaimableKinds,
    worker: &str,
    gap: Duration,
) -> QueryResult<Touched> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(embed)]
        job: DueJob,
        #[diesel(sql_type = Bool)]
        touched: bool,
        #[diesel(sql_type = BigInt)]
        seen: i64,
    }
    let limit = i64::from(kinds.sizes.iter().copied().max().unwrap_or(1));
    let rows: Vec<Row> = statement(format!(
        "WITH due AS ({due}),
         placed AS (
            SELECT due.*, batch, size, attempts < fresh_below AS fresh,
                   row_number() OVER claim_order AS place, count(*) OVER () AS seen,
                   first_value(batch) OVER claim_order AS first_batch,
                   first_value(attempts < fresh_below) OVER claim_order AS first_is_fresh
            FROM due JOIN unnest($4, $5, $6, $7) AS known (kind, batch, size, fresh_below) USING (kind)
            WINDOW claim_order AS (ORDER BY priority DESC, lap, id)),
         chosen AS (
            SELECT * FROM placed WHERE first_is_fresh AND fresh AND batch = first_batch
            ORDER BY place LIMIT (SELECT size FROM placed WHERE place = 1)),
         noted AS (
            INSERT INTO job_history ({LOST_RECEIPT}) SELECT {LOST_VALUES} FROM chosen WHERE lost),
         touched AS (
            UPDATE jobs SET {TOUCH}, claimed_by = $8, run_at = clock_timestamp() + $9 * interval '1 millisecond'
            WHERE id = ANY(ARRAY(SELECT id FROM chosen))
            RETURNING id AS touched_id)
         SELECT {DUE_JOB}, touched_id IS NOT NULL AS touched, seen
         FROM placed LEFT JOIN touched ON touched_id = id
         WHERE touched_id IS NOT NULL OR place = 1
         ORDER BY place",
        due = due(),
    ))
    .bind::<Text, _>(queue)
    .bind::<Array<Text>, _>(&kinds.kinds)
    .bind::<BigInt, _>(limit)
    .bind::<Array<Text>, _>(&kinds.kinds)
    .bind::<Array<Integer>, _>(&kinds.batches)
    .bind::<Array<Integer>, _>(&kinds.sizes)
    .bind::<Array<Integer>, _>(&kinds.fresh_below)
    .bind::<Text, _>(worker)
    .bind::<BigInt, _>(milliseconds(gap))
    .get_results(connection)?;
    let seen = rows.first().map_or(0, |row| row.seen);
    let needs_care = rows.first().is_some_and(|row| !row.touched);
    let touched = rows.into_iter().filter(|row| row.touched).map(|row| row.job);
    let jobs: Vec<_> = touched.map(DueJob::started).collect();
    let more = seen >= limit || seen > i64::try_from(jobs.len()).unwrap_or(i64::MAX);
    Ok(Touched { jobs, needs_care, more })
}

impl DueJob {
    /// The job as a touch leaves it.
    pub(super) fn started(self) -> Self {
        Self { attempts: self.attempts + 1, claim_no: self.claim_no + 1, ..self }
    }
}

/// Locks the first due rows of a queue.
pub fn lock_due(connection: &mut PgConnection, queue: &str, kinds: &[&str], limit: usize) -> QueryResult<Vec<DueJob>> {
    statement(format!("SELECT {DUE_JOB} FROM ({}) AS due", due()))
        .bind::<Text, _>(queue)
        .bind::<Array<Text>, _>(kinds)
        .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
        .get_results(connection)
}

/// SQL: the receipt of a start whose worker is gone.
const LOST_RECEIPT: &str =
    "id, queue, kind, key, requested_by, request_id, created_at, started_at, attempts, finished_by, outcome";
const LOST_VALUES: &str =
    "id, queue, kind, key, requested_by, request_id, created_at, claimed_at, attempts, claimed_by, 'lost'";
/// SQL: what each touch changes in the same way.
const TOUCH: &str =
    "attempts = attempts + 1, claim_no = claim_no + 1, claimed_at = clock_timestamp(), awaits_recovery = false";

/// Records in the history that the worker of these rows' last start is gone.
pub fn note_lost(connection: &mut PgConnection, jobs: &[JobId]) -> QueryResult<usize> {
    sql_query(format!("INSERT INTO job_history ({LOST_RECEIPT}) SELECT {LOST_VALUES} FROM jobs WHERE id = ANY($1)"))
        .bind::<Array<BigInt>, _>(jobs)
        .execute(connection)
}

/// Counts the starts of rows that the transaction has locked.
pub fn touch(connection: &mut PgConnection, jobs: &[JobId], worker: &str, gap: Duration) -> QueryResult<usize> {
    statement(format!(
        "UPDATE jobs SET {TOUCH}, claimed_by = $1, run_at = clock_timestamp() + $2 * interval '1 millisecond'
         WHERE id = ANY($3)"
    ))
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
            SELECT jobs.id FROM jobs, (SELECT $1 AS ids, $2 AS claim_nos) AS claim
            WHERE jobs.id = ANY(claim.ids) AND jobs.claim_no = claim.claim_nos[array_position(claim.ids, jobs.id)]
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
