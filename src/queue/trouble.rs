//! Queries of the monitor: what is wrong with the queue, with a few examples each.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text};
use diesel::{PgConnection, QueryResult, sql_query};
use serde::Serialize;

use super::claim::LOST;
use super::inspection::HELD;
use super::job::JobId;
use super::session::{QUEUE_LOCKS, SESSION_PREFIX};
use super::storage::milliseconds;

/// Jobs that are listed as examples.
const EXAMPLES: i64 = 5;
/// Running jobs that are listed; the caller selects from them.
const RUNNING: i64 = 1000;

/// A job with a problem.
#[derive(QueryableByName, Debug, Clone, PartialEq, Serialize)]
pub struct TroubledJob {
    #[diesel(sql_type = BigInt)]
    pub id: JobId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub key: Option<String>,
    /// How long the problem has lasted.
    #[diesel(sql_type = Double)]
    pub seconds: f64,
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
    /// The name of the session that runs it.
    #[diesel(sql_type = Nullable<Text>)]
    pub holder: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub request_id: Option<String>,
    /// The number of such jobs, including those that are not listed.
    #[diesel(sql_type = BigInt)]
    #[serde(skip)]
    pub total: i64,
}

fn troubled(
    connection: &mut PgConnection,
    seconds: &str,
    error: &str,
    holder: &str,
    from: &str,
    limit: i64,
) -> QueryResult<Vec<TroubledJob>> {
    sql_query(format!(
        "SELECT id, kind, key, greatest({seconds}, 0)::float8 AS seconds, attempts, {error} AS error, {holder} AS holder, request_id,
                count(*) OVER () AS total
         FROM {from} LIMIT {limit}"
    ))
    .get_results(connection)
}

/// SQL: a job is not of these kinds.
fn counts(apart_from: &[&'static str]) -> String {
    // Their names are words of the program.
    let names: Vec<String> = apart_from.iter().map(|kind| format!("'{kind}'")).collect();
    format!("kind <> ALL(ARRAY[{}]::text[])", names.join(", "))
}

/// The oldest pending job. Delayed jobs do not count before their due time, except those that have failed: an outage takes no
/// attempt, and delays its jobs. Jobs of the kinds in `apart_from` do not count.
pub fn oldest(connection: &mut PgConnection, apart_from: &[&'static str]) -> QueryResult<Option<TroubledJob>> {
    let age = "extract(epoch FROM clock_timestamp() - created_at)";
    let from = format!(
        "jobs WHERE (attempts > 0 OR last_error IS NOT NULL OR run_at <= clock_timestamp()) AND {}
         ORDER BY created_at, id",
        counts(apart_from)
    );
    Ok(troubled(connection, age, "last_error", "NULL::text", &from, 1)?.into_iter().next())
}

/// Dead jobs, the latest first.
pub fn dead(connection: &mut PgConnection) -> QueryResult<Vec<TroubledJob>> {
    let since = "extract(epoch FROM clock_timestamp() - died_at)";
    troubled(connection, since, "last_error", "NULL::text", "dead_jobs ORDER BY died_at DESC, id DESC", EXAMPLES)
}

/// Jobs that have failed at least `attempts` times, and those that have waited for the end of an outage for longer than
/// `outage`. An outage leaves one receipt, when it begins. Jobs of the kinds in `apart_from` do not count.
pub fn failing(
    connection: &mut PgConnection,
    attempts: u32,
    outage: std::time::Duration,
    apart_from: &[&'static str],
) -> QueryResult<Vec<TroubledJob>> {
    let began = "coalesce((SELECT min(finished_at) FROM job_history AS receipt
                           WHERE receipt.id = jobs.id AND receipt.outcome = 'failed' AND receipt.error = jobs.last_error),
                          last_failed_at)";
    let since = format!("extract(epoch FROM clock_timestamp() - {began})");
    let outage = milliseconds(outage);
    let from = format!(
        "jobs WHERE last_error IS NOT NULL AND {counts} AND (attempts >= {attempts}
             OR (awaits_recovery AND {began} < clock_timestamp() - {outage} * interval '1 millisecond'))
         ORDER BY attempts DESC, id",
        counts = counts(apart_from)
    );
    troubled(connection, &since, "last_error", "NULL::text", &from, EXAMPLES)
}

/// Running jobs, the longest first. The lock of a row proves that the worker's session exists, not that the job makes
/// progress.
pub fn running(connection: &mut PgConnection) -> QueryResult<Vec<TroubledJob>> {
    let since = "extract(epoch FROM clock_timestamp() - claimed_at)";
    let holder = "(SELECT string_agg(session.application_name || ' (session ' || session.pid || ')', ', ')
                   FROM pg_locks JOIN pg_stat_activity AS session USING (pid)
                   WHERE locktype = 'transactionid' AND transactionid = jobs.xmax AND mode = 'ExclusiveLock' AND granted)";
    let from = format!("jobs WHERE {LOST} AND {HELD} ORDER BY claimed_at, id");
    troubled(connection, since, "last_error", holder, &from, RUNNING)
}

/// Jobs of unknown kinds.
pub fn unknown(connection: &mut PgConnection, known: &[&str]) -> QueryResult<Vec<TroubledJob>> {
    sql_query(format!(
        "SELECT id, kind, key, greatest(extract(epoch FROM clock_timestamp() - created_at), 0)::float8 AS seconds, attempts,
                last_error AS error, NULL::text AS holder, request_id, count(*) OVER () AS total
         FROM jobs WHERE NOT kind = ANY($1) ORDER BY id LIMIT {EXAMPLES}"
    ))
    .bind::<Array<Text>, _>(known)
    .get_results(connection)
}

/// Whether a queue with one worker in the installation has it.
#[derive(QueryableByName, Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attendance {
    #[diesel(sql_type = Text)]
    pub queue: String,
    /// A worker holds the queue's lock.
    #[diesel(sql_type = Bool)]
    pub taken: bool,
}

/// Whether each of these queues, which have one worker in the installation each, has it.
pub fn attendance(connection: &mut PgConnection, queues: &[&str]) -> QueryResult<Vec<Attendance>> {
    sql_query(
        "SELECT queue, EXISTS (
                SELECT FROM pg_locks
                WHERE locktype = 'advisory' AND granted AND objsubid = 1
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                      AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(queue, $2)) AS taken
         FROM unnest($1) AS queue ORDER BY queue",
    )
    .bind::<Array<Text>, _>(queues)
    .bind::<BigInt, _>(QUEUE_LOCKS)
    .get_results(connection)
}

/// The names of the processes whose workers are connected.
pub fn workers(connection: &mut PgConnection) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Worker {
        #[diesel(sql_type = Text)]
        worker: String,
    }
    let workers: Vec<Worker> = sql_query(
        "SELECT DISTINCT split_part(substr(application_name, length($1) + 1), ' ', 1) AS worker FROM pg_stat_activity
         WHERE datname = current_database() AND starts_with(application_name, $1) ORDER BY 1",
    )
    .bind::<Text, _>(SESSION_PREFIX)
    .get_results(connection)?;
    Ok(workers.into_iter().map(|row| row.worker).collect())
}
