//! Queries of operators: pending, dead and done jobs, receipts of attempts, and counts.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Integer, Jsonb, Nullable, Text, Timestamptz};
use diesel::{PgConnection, QueryResult, sql_query};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::claim::LOST;
use super::job::JobId;

/// One job in any state.
#[derive(QueryableByName, Debug, Clone, Serialize, ToSchema)]
pub struct JobView {
    #[diesel(sql_type = BigInt)]
    pub id: JobId,
    /// Of pending jobs: `waiting` (due), `delayed` (due later), `behind` (another job of its key is first), `running` (its
    /// row is locked) or `failing` (the last attempt failed). Of others: `dead`, `done` or `discarded`.
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = Text)]
    pub queue: String,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub key: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub requested_by: Option<String>,
    /// The id of the request that enqueued it, as in the log and in the response's `X-Request-Id`.
    #[diesel(sql_type = Nullable<Text>)]
    pub request_id: Option<String>,
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// When a pending job may start.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub run_at: Option<DateTime<Utc>>,
    /// The last start.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub started_at: Option<DateTime<Utc>>,
    /// The time of its death, completion or removal.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub ended_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub worker: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
    /// The result that a finished job reported.
    #[diesel(sql_type = Nullable<Text>)]
    pub detail: Option<String>,
    /// Kept while the job is pending or dead.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub payload: Option<Value>,
}

/// Which jobs to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Not done, dead or discarded: the default.
    Pending,
    /// Pending, and the last attempt failed.
    Failing,
    Dead,
    Done,
}

/// SQL: the row is locked. A row lock is stored in the row, as the id of the transaction that holds it.
pub(super) const HELD: &str =
    "EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND transactionid = jobs.xmax
    AND mode = 'ExclusiveLock' AND granted)";

/// SQL: the last attempt of the pending job failed. A dead job that was retried keeps its last error, and has no attempts.
pub(super) const FAILING: &str = "last_error IS NOT NULL AND (attempts > 0 OR awaits_recovery)";

/// SQL: the state of a pending job.
fn state() -> String {
    format!(
        "CASE WHEN {LOST} AND {HELD} THEN 'running'
              WHEN turn = false THEN 'behind'
              WHEN {FAILING} THEN 'failing'
              WHEN run_at > clock_timestamp() THEN 'delayed'
              ELSE 'waiting' END"
    )
}

/// SQL: the columns of [`JobView`] for pending jobs.
pub(super) fn pending() -> String {
    format!(
        "SELECT id, {state} AS state, queue, kind, key, requested_by, request_id, attempts, created_at, run_at, claimed_at AS started_at,
            NULL::timestamptz AS ended_at, claimed_by AS worker, last_error AS error, NULL AS detail, payload FROM jobs",
        state = state()
    )
}

pub(super) const DEAD: &str =
    "SELECT id, 'dead' AS state, queue, kind, key, requested_by, request_id, attempts, created_at,
    NULL::timestamptz AS run_at, NULL::timestamptz AS started_at, died_at AS ended_at, NULL AS worker,
    last_error AS error, NULL AS detail, payload FROM dead_jobs";
pub(super) const DONE: &str =
    "SELECT id, outcome AS state, queue, kind, key, requested_by, request_id, attempts, created_at,
    NULL::timestamptz AS run_at, started_at, finished_at AS ended_at, finished_by AS worker, error, detail,
    NULL::jsonb AS payload FROM job_history WHERE outcome IN ('done', 'discarded')";

/// The first jobs of a selection: pending ones in the order of their claim, dead and done ones newest first.
pub fn list(connection: &mut PgConnection, selection: Selection, limit: i64) -> QueryResult<Vec<JobView>> {
    let pending = pending();
    let query = match selection {
        Selection::Pending => format!("{pending} ORDER BY queue, priority DESC, lap, id"),
        Selection::Failing => format!("{pending} WHERE {FAILING} ORDER BY queue, priority DESC, lap, id"),
        Selection::Dead => format!("{DEAD} ORDER BY died_at DESC, id DESC"),
        Selection::Done => format!("{DONE} ORDER BY seq DESC"),
    };
    sql_query(format!("{query} LIMIT $1")).bind::<BigInt, _>(limit).get_results(connection)
}

/// One job, if it exists. A job that was discarded after its death may have several receipts; the last one counts.
pub fn show(connection: &mut PgConnection, job: JobId) -> QueryResult<Option<JobView>> {
    for query in [
        format!("{} WHERE id = $1", pending()),
        format!("{DEAD} WHERE id = $1"),
        format!("{DONE} AND id = $1 ORDER BY seq DESC LIMIT 1"),
    ] {
        let found: Vec<JobView> = sql_query(query).bind::<BigInt, _>(job).get_results(connection)?;
        if let Some(view) = found.into_iter().next() {
            return Ok(Some(view));
        }
    }
    Ok(None)
}

/// A receipt: the end of an attempt, or an operator's change.
#[derive(QueryableByName, Debug, Clone, Serialize, ToSchema)]
pub struct Receipt {
    /// The order of the receipts.
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = BigInt)]
    pub id: JobId,
    /// `done`, `failed`, `lost` (its worker is gone), `dead`, `retried` or `discarded` (by an operator).
    #[diesel(sql_type = Text)]
    pub outcome: String,
    #[diesel(sql_type = Text)]
    pub queue: String,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub key: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub requested_by: Option<String>,
    /// The id of the request that enqueued it, as in the log and in the response's `X-Request-Id`.
    #[diesel(sql_type = Nullable<Text>)]
    pub request_id: Option<String>,
    /// The number of the start.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub started_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    pub finished_at: DateTime<Utc>,
    /// The worker, or the operator.
    #[diesel(sql_type = Nullable<Text>)]
    pub finished_by: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub detail: Option<String>,
}

const RECEIPTS: &str =
    "SELECT seq, id, outcome, queue, kind, key, requested_by, request_id, attempts, started_at, finished_at,
    finished_by, error, detail FROM job_history";

/// The receipts of one job, oldest first.
pub fn receipts(connection: &mut PgConnection, job: JobId) -> QueryResult<Vec<Receipt>> {
    sql_query(format!("{RECEIPTS} WHERE id = $1 ORDER BY seq")).bind::<BigInt, _>(job).get_results(connection)
}

/// The last receipts of all jobs, oldest first.
pub fn latest_receipts(connection: &mut PgConnection, limit: i64) -> QueryResult<Vec<Receipt>> {
    let query = format!("SELECT * FROM ({RECEIPTS} ORDER BY seq DESC LIMIT $1) AS latest ORDER BY seq");
    sql_query(query).bind::<BigInt, _>(limit).get_results(connection)
}

/// The receipts after a certain one, oldest first. Receipts become visible when their transactions end, which is not
/// exactly the order of `seq`: query again from a smaller `seq`.
pub fn receipts_after(connection: &mut PgConnection, seq: i64) -> QueryResult<Vec<Receipt>> {
    sql_query(format!("{RECEIPTS} WHERE seq > $1 ORDER BY seq")).bind::<BigInt, _>(seq).get_results(connection)
}

/// The number of jobs of one kind.
#[derive(QueryableByName, Debug, Clone, Default, PartialEq, Serialize)]
pub struct Gauges {
    #[diesel(sql_type = Text)]
    pub queue: String,
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Pending, including the running ones.
    #[diesel(sql_type = BigInt)]
    pub pending: i64,
    /// Running now.
    #[diesel(sql_type = BigInt)]
    pub running: i64,
    /// Pending, and the last attempt failed.
    #[diesel(sql_type = BigInt)]
    pub failing: i64,
    /// Pending, and due later: the first start is delayed.
    #[diesel(sql_type = BigInt)]
    pub delayed: i64,
    #[diesel(sql_type = BigInt)]
    pub dead: i64,
    /// Seconds since the oldest pending job was enqueued, without jobs whose first start is delayed; 0 if there is none.
    #[diesel(sql_type = Double)]
    pub oldest_seconds: f64,
}

/// The numbers of jobs of the installation, by kind. A kind in `known` (kind and queue) is listed even if it has no jobs, so
/// that its metrics read 0 and do not disappear.
pub fn gauges(connection: &mut PgConnection, known: &[(&str, &str)]) -> QueryResult<Vec<Gauges>> {
    let mut gauges: Vec<Gauges> = sql_query(format!(
        "SELECT queue, kind, sum(pending)::bigint AS pending, sum(running)::bigint AS running,
                sum(failing)::bigint AS failing, sum(delayed)::bigint AS delayed, sum(dead)::bigint AS dead,
                greatest(max(oldest_seconds), 0)::float8 AS oldest_seconds
         FROM (
            SELECT queue, kind, count(*) AS pending, count(*) FILTER (WHERE {LOST} AND {HELD}) AS running,
                   count(*) FILTER (WHERE {FAILING}) AS failing,
                   count(*) FILTER (WHERE {state} = 'delayed') AS delayed, 0 AS dead,
                   extract(epoch FROM clock_timestamp() - min(created_at)
                       FILTER (WHERE attempts > 0 OR last_error IS NOT NULL OR run_at <= clock_timestamp())) AS oldest_seconds
            FROM jobs GROUP BY queue, kind
            UNION ALL
            SELECT queue, kind, 0, 0, 0, 0, count(*), 0 FROM dead_jobs GROUP BY queue, kind) AS both_tables
         GROUP BY queue, kind",
        state = state()
    ))
    .get_results(connection)?;
    for &(kind, queue) in known {
        if !gauges.iter().any(|gauge| gauge.kind == kind && gauge.queue == queue) {
            let (queue, kind) = (queue.to_owned(), kind.to_owned());
            gauges.push(Gauges { queue, kind, ..Gauges::default() });
        }
    }
    gauges.sort_by(|one, other| (&one.queue, &one.kind).cmp(&(&other.queue, &other.kind)));
    Ok(gauges)
}

/// Whether a job of this kind is pending, including running ones.
pub fn any_pending(connection: &mut PgConnection, kind: &str) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Any {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        any: bool,
    }
    sql_query("SELECT EXISTS (SELECT FROM jobs WHERE kind = $1) AS any")
        .bind::<Text, _>(kind)
        .get_result::<Any>(connection)
        .map(|row| row.any)
}

/// The number of pending jobs of a queue, counted up to `most`. Jobs that wait for others of their key do not count.
pub fn pending_up_to(connection: &mut PgConnection, queue: &str, most: i64) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    // In the order of an index, so that it reads no more rows than it counts.
    sql_query(
        "SELECT count(*) AS count FROM (
            SELECT FROM jobs WHERE queue = $1 AND turn IS NOT FALSE ORDER BY priority DESC, lap, id LIMIT $2) AS pending",
    )
    .bind::<Text, _>(queue)
    .bind::<BigInt, _>(most)
    .get_result::<Count>(connection)
    .map(|row| row.count)
}

/// The numbers of pending and dead jobs.
pub fn count(connection: &mut PgConnection) -> QueryResult<(i64, i64)> {
    #[derive(QueryableByName)]
    struct Counts {
        #[diesel(sql_type = BigInt)]
        pending: i64,
        #[diesel(sql_type = BigInt)]
        dead: i64,
    }
    let counts: Counts =
        sql_query("SELECT (SELECT count(*) FROM jobs) AS pending, (SELECT count(*) FROM dead_jobs) AS dead")
            .get_result(connection)?;
    Ok((counts.pending, counts.dead))
}

/// The keys that have a pending job of one of these kinds, including running ones.
pub fn pending_keys(connection: &mut PgConnection, kinds: &[&str], keys: &[&str]) -> QueryResult<Vec<String>> {
    use diesel::sql_types::Array;
    #[derive(QueryableByName)]
    struct Key {
        #[diesel(sql_type = Text)]
        key: String,
    }
    sql_query("SELECT DISTINCT key FROM jobs WHERE kind = ANY ($1) AND key = ANY ($2)")
        .bind::<Array<Text>, _>(kinds)
        .bind::<Array<Text>, _>(keys)
        .load::<Key>(connection)
        .map(|rows| rows.into_iter().map(|row| row.key).collect())
}

/// Whether a job of this kind is pending whose payload has this number in this field.
pub fn any_pending_about(connection: &mut PgConnection, kind: &str, field: &str, number: i64) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Any {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        any: bool,
    }
    sql_query("SELECT EXISTS (SELECT FROM jobs WHERE kind = $1 AND payload->>$2 = $3::text) AS any")
        .bind::<Text, _>(kind)
        .bind::<Text, _>(field)
        .bind::<Text, _>(number.to_string())
        .get_result::<Any>(connection)
        .map(|row| row.any)
}

/// Whether any of these jobs is pending, including running ones.
pub fn any_of_pending(connection: &mut PgConnection, jobs: &[JobId]) -> QueryResult<bool> {
    use diesel::sql_types::Array;
    #[derive(QueryableByName)]
    struct Any {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        any: bool,
    }
    sql_query("SELECT EXISTS (SELECT FROM jobs WHERE id = ANY ($1)) AS any")
        .bind::<Array<BigInt>, _>(jobs)
        .get_result::<Any>(connection)
        .map(|row| row.any)
}

/// The dead jobs of these kinds and this key.
pub fn dead_of_key(connection: &mut PgConnection, kinds: &[&str], key: &str) -> QueryResult<Vec<JobView>> {
    use diesel::sql_types::Array;
    sql_query(format!("{DEAD} WHERE kind = ANY ($1) AND key = $2 ORDER BY id"))
        .bind::<Array<Text>, _>(kinds)
        .bind::<Text, _>(key)
        .load(connection)
}

/// The next dead jobs in the order of their ids.
pub fn dead_after(connection: &mut PgConnection, after: JobId, limit: i64) -> QueryResult<Vec<JobView>> {
    sql_query(format!("{DEAD} WHERE id > $1 ORDER BY id LIMIT $2"))
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit)
        .load(connection)
}
