//! What an operator reads: jobs that are owed, dead, or done.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Jsonb, Nullable, Text, Timestamptz};
use diesel::{PgConnection, QueryResult, sql_query};
use serde::Serialize;
use serde_json::Value;

use super::JobId;

/// One job, wherever it stands.
#[derive(QueryableByName, Debug, Clone, Serialize)]
pub struct JobView {
    #[diesel(sql_type = BigInt)]
    pub id: JobId,
    /// `waiting` (due), `delayed` (due later), `failing` (in backoff after an error), `dead`, `done` or `discarded`.
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
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// When it may start, if it is owed.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub run_at: Option<DateTime<Utc>>,
    /// When it was last started.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub started_at: Option<DateTime<Utc>>,
    /// When it died or was done.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub ended_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub worker: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
    /// What a finished job reported.
    #[diesel(sql_type = Nullable<Text>)]
    pub detail: Option<String>,
    /// Kept while the job is owed or dead.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub payload: Option<Value>,
}

/// Which jobs to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Waiting, delayed or failing: the default.
    Owed,
    /// Those of them with an error.
    Failing,
    Dead,
    Done,
}

const OWED: &str = "SELECT id,
    CASE WHEN last_error IS NOT NULL THEN 'failing' WHEN run_at > clock_timestamp() THEN 'delayed' ELSE 'waiting' END AS state,
    queue, kind, key, requested_by, attempts, created_at, run_at, claimed_at AS started_at,
    NULL::timestamptz AS ended_at, claimed_by AS worker, last_error AS error, NULL AS detail, payload FROM jobs";
const DEAD: &str = "SELECT id, 'dead' AS state, queue, kind, key, requested_by, attempts, created_at,
    NULL::timestamptz AS run_at, NULL::timestamptz AS started_at, died_at AS ended_at, NULL AS worker,
    last_error AS error, NULL AS detail, payload FROM dead_jobs";
const DONE: &str = "SELECT id, outcome AS state, queue, kind, key, requested_by, attempts, created_at,
    NULL::timestamptz AS run_at, started_at, finished_at AS ended_at, finished_by AS worker, NULL AS error, detail,
    NULL::jsonb AS payload FROM job_history";

/// The first jobs of a selection: owed ones in the order of their claim, dead and done ones newest first.
pub fn list(connection: &mut PgConnection, selection: Selection, limit: i64) -> QueryResult<Vec<JobView>> {
    let query = match selection {
        Selection::Owed => format!("{OWED} ORDER BY queue, priority DESC, id"),
        Selection::Failing => format!("{OWED} WHERE last_error IS NOT NULL ORDER BY queue, priority DESC, id"),
        Selection::Dead => format!("{DEAD} ORDER BY died_at DESC, id DESC"),
        Selection::Done => format!("{DONE} ORDER BY finished_at DESC, id DESC"),
    };
    sql_query(format!("{query} LIMIT $1")).bind::<BigInt, _>(limit).get_results(connection)
}

/// Everything kept of one job. A job that was discarded after its death may have several receipts; the last one counts.
pub fn show(connection: &mut PgConnection, job: JobId) -> QueryResult<Option<JobView>> {
    for query in [
        format!("{OWED} WHERE id = $1"),
        format!("{DEAD} WHERE id = $1"),
        format!("{DONE} WHERE id = $1 ORDER BY finished_at DESC LIMIT 1"),
    ] {
        let found: Vec<JobView> = sql_query(query).bind::<BigInt, _>(job).get_results(connection)?;
        if let Some(view) = found.into_iter().next() {
            return Ok(Some(view));
        }
    }
    Ok(None)
}

/// How many jobs are owed and how many are dead.
pub fn count(connection: &mut PgConnection) -> QueryResult<(i64, i64)> {
    #[derive(QueryableByName)]
    struct Counts {
        #[diesel(sql_type = BigInt)]
        owed: i64,
        #[diesel(sql_type = BigInt)]
        dead: i64,
    }
    let counts: Counts =
        sql_query("SELECT (SELECT count(*) FROM jobs) AS owed, (SELECT count(*) FROM dead_jobs) AS dead")
            .get_result(connection)?;
    Ok((counts.owed, counts.dead))
}
