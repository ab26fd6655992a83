//! Queries of those who wait for certain jobs: where these are, what is before them, and how long such jobs usually take.
//! Each reads a bounded number of rows, however long the queue and its history are.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, SmallInt, Text, Timestamptz};
use diesel::{PgConnection, QueryResult, sql_query};

use super::claim::LOST;
use super::inspection::{FAILING, HELD};
use super::job::JobId;
use super::storage::milliseconds;
use super::trouble;

/// Jobs of one kind and key that are looked through: the newest.
const LOOKED_THROUGH: i64 = 1000;
/// Jobs that are given at most.
const GIVEN: i64 = 20;

/// A pending or dead job.
#[derive(QueryableByName, Debug, Clone, PartialEq)]
pub struct AwaitedJob {
    #[diesel(sql_type = BigInt)]
    pub id: JobId,
    #[diesel(sql_type = Text)]
    pub queue: String,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = SmallInt)]
    priority: i16,
    #[diesel(sql_type = BigInt)]
    lap: i64,
    #[diesel(sql_type = Nullable<Text>)]
    pub requested_by: Option<String>,
    /// Starts so far.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// When it may start next; of a dead job, when it died.
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    /// The last error with its chain of causes.
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
    /// It waits for the end of an outage.
    #[diesel(sql_type = Bool)]
    pub awaits_recovery: bool,
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwaitedState {
    Running,
    Waiting,
    /// The last attempt failed, and another one follows.
    Failing,
    Dead,
}

impl AwaitedJob {
    pub fn state(&self) -> AwaitedState {
        match self.state.as_str() {
            "running" => AwaitedState::Running,
            "failing" => AwaitedState::Failing,
            "dead" => AwaitedState::Dead,
            _ => AwaitedState::Waiting,
        }
    }
}

/// Pending jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    pub jobs: Vec<AwaitedJob>,
    /// None was found, but the key has others of these kinds. Not all are looked through if there are thousands.
    pub has_others: bool,
}

/// The jobs of a key that have a number in a field of their payload, such as the id of a row. The field depends on the kind.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub key: &'a str,
    /// Kind, field, number.
    pub fields: &'a [(&'a str, &'a str, i32)],
}

impl Subject<'_> {
    /// The pending ones, the oldest first. Of a key with thousands of pending jobs only the newest are looked through.
    pub fn pending(&self, connection: &mut PgConnection) -> QueryResult<Pending> {
        let jobs = self.load(
            connection,
            &format!(
                "SELECT id, queue, jobs.kind,
                    CASE WHEN {LOST} AND {HELD} THEN 'running'
                         WHEN {FAILING} THEN 'failing'
                         ELSE 'waiting' END AS state,
                    priority, lap, requested_by, attempts, created_at, run_at AS at, last_error AS error, awaits_recovery
                 FROM unnest($1, $2, $3) AS wanted (kind, field, number)
                 CROSS JOIN LATERAL (
                    SELECT *, xmax FROM jobs WHERE jobs.kind = wanted.kind AND jobs.key = $4
                    ORDER BY jobs.id DESC LIMIT {LOOKED_THROUGH}) AS jobs
                 WHERE jobs.payload->>wanted.field = wanted.number ORDER BY id LIMIT {GIVEN}"
            ),
        )?;
        // Only those who find nothing need to know of others.
        let has_others = jobs.is_empty() && self.has_any(connection)?;
        Ok(Pending { jobs, has_others })
    }

    /// Whether there is a pending job of the key and one of the kinds.
    fn has_any(&self, connection: &mut PgConnection) -> QueryResult<bool> {
        #[derive(QueryableByName)]
        struct Any {
            #[diesel(sql_type = Bool)]
            has_any: bool,
        }
        let kinds: Vec<_> = self.fields.iter().map(|(kind, ..)| *kind).collect();
        sql_query("SELECT EXISTS (SELECT FROM jobs WHERE kind = ANY($1) AND key = $2) AS has_any")
            .bind::<Array<Text>, _>(kinds)
            .bind::<Text, _>(self.key)
            .get_result::<Any>(connection)
            .map(|row| row.has_any)
    }

    /// The dead ones, the oldest first.
    pub fn dead(&self, connection: &mut PgConnection) -> QueryResult<Vec<AwaitedJob>> {
        self.load(
            connection,
            &format!(
                "SELECT id, queue, dead_jobs.kind, 'dead' AS state, priority, 0::bigint AS lap, requested_by, attempts, created_at,
                    died_at AS at, last_error AS error, false AS awaits_recovery
                 FROM unnest($1, $2, $3) AS wanted (kind, field, number)
                 JOIN dead_jobs ON dead_jobs.kind = wanted.kind AND dead_jobs.key = $4
                     AND dead_jobs.payload->>wanted.field = wanted.number
                 ORDER BY id LIMIT {GIVEN}"
            ),
        )
    }

    fn load(&self, connection: &mut PgConnection, query: &str) -> QueryResult<Vec<AwaitedJob>> {
        let kinds: Vec<_> = self.fields.iter().map(|(kind, ..)| *kind).collect();
        let fields: Vec<_> = self.fields.iter().map(|(_, field, _)| *field).collect();
        let numbers: Vec<_> = self.fields.iter().map(|(.., number)| number.to_string()).collect();
        sql_query(query)
            .bind::<Array<Text>, _>(kinds)
            .bind::<Array<Text>, _>(fields)
            .bind::<Array<Text>, _>(numbers)
            .bind::<Text, _>(self.key)
            .load(connection)
    }
}

/// Whether this job has been due for this long without a worker for its queue. Queues with one worker in the installation
/// have none for a moment when one process takes over from another.
pub fn lacks_a_worker(connection: &mut PgConnection, job: &AwaitedJob, due_for: Duration) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Overdue {
        #[diesel(sql_type = Bool)]
        is_overdue: bool,
    }
    if !matches!(job.state(), AwaitedState::Waiting | AwaitedState::Failing) {
        return Ok(false);
    }
    let overdue: Overdue = sql_query(
        "SELECT EXISTS (SELECT FROM jobs WHERE id = $1 AND run_at < clock_timestamp() - $2 * interval '1 millisecond')
             AS is_overdue",
    )
    .bind::<BigInt, _>(job.id)
    .bind::<BigInt, _>(milliseconds(due_for))
    .get_result(connection)?;
    Ok(overdue.is_overdue && !trouble::attendance(connection, &[&job.queue])?.iter().any(|queue| queue.taken))
}

/// How many jobs are before one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    pub jobs: i64,
    /// Not all rows were counted: there may be more.
    pub at_least: bool,
}

/// Counts the jobs of the queue that are due or run and are claimed before this one. It reads at most `most` rows, in the
/// order of the claim.
pub fn ahead(connection: &mut PgConnection, job: &AwaitedJob, most: i64) -> QueryResult<Ahead> {
    #[derive(QueryableByName)]
    struct Counts {
        #[diesel(sql_type = BigInt)]
        due: i64,
        #[diesel(sql_type = BigInt)]
        read: i64,
    }
    // Two ranges of the index, because one condition for both would read on to the end of the queue.
    let due = format!(
        "SELECT (run_at <= clock_timestamp() OR {LOST}) AS is_due FROM jobs WHERE queue = $1 AND turn IS NOT FALSE"
    );
    let counts: Counts = sql_query(format!(
        "SELECT count(*) FILTER (WHERE is_due) AS due, count(*) AS read FROM (
            ({due} AND priority > $2 ORDER BY priority DESC, lap, id LIMIT $5)
            UNION ALL
            ({due} AND priority = $2 AND (lap, id) < ($3, $4) ORDER BY lap, id LIMIT $5)
            LIMIT $5) AS before"
    ))
    .bind::<Text, _>(&job.queue)
    .bind::<SmallInt, _>(job.priority)
    .bind::<BigInt, _>(job.lap)
    .bind::<BigInt, _>(job.id)
    .bind::<BigInt, _>(most)
    .get_result(connection)?;
    Ok(Ahead { jobs: counts.due, at_least: counts.read >= most })
}

/// The median time in seconds from the request to the end of jobs of this kind, of those among the last `receipts` of the
/// history. None if none of these is of a finished job of this kind.
pub fn usual_seconds(connection: &mut PgConnection, kind: &str, receipts: i64) -> QueryResult<Option<f64>> {
    #[derive(QueryableByName)]
    struct Median {
        #[diesel(sql_type = Nullable<Double>)]
        seconds: Option<f64>,
    }
    sql_query(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - created_at)::float8) AS seconds
         FROM (SELECT kind, outcome, created_at, finished_at FROM job_history ORDER BY seq DESC LIMIT $2) AS latest
         WHERE kind = $1 AND outcome = 'done'",
    )
    .bind::<Text, _>(kind)
    .bind::<BigInt, _>(receipts)
    .get_result::<Median>(connection)
    .map(|median| median.seconds)
}
