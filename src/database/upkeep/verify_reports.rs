//! The reports of verifications, one row for each run.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Timestamptz};
use serde_json::Value;

use crate::database::schema::verify_reports;

/// The number of reports that are kept.
const KEPT: i64 = 1000;

/// The report of a run.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = verify_reports)]
pub struct VerifyReport {
    pub id: i64,
    pub started_at: DateTime<Utc>,
    /// None while it runs, and if its process was killed.
    pub finished_at: Option<DateTime<Utc>>,
    /// `full` or `light`.
    pub mode: String,
    /// An operator as `account@host`, or `schedule`.
    pub requested_by: String,
    /// The number of differences, without repaired ones.
    pub differences: i64,
    /// The numbers of differences by kind, and the first differences.
    pub summary: Value,
    /// The reason for which it ended early.
    pub error: Option<String>,
    /// The position at which an unfinished run can continue.
    pub position: Option<Value>,
}

/// The progress of a run.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub crates: i64,
    pub files: i64,
    pub differences: i64,
    pub summary: Value,
}

/// The last run that ended, for a monitor. A run that failed has an [`error`](VerifyReport::error).
pub fn newest_finished(connection: &mut PgConnection) -> QueryResult<Option<VerifyReport>> {
    verify_reports::table
        .filter(verify_reports::finished_at.is_not_null())
        .order(verify_reports::id.desc())
        .select(VerifyReport::as_select())
        .first(connection)
        .optional()
}

/// The newest run of this mode, if it was interrupted and can continue.
pub fn interrupted(connection: &mut PgConnection, mode: &str) -> QueryResult<Option<VerifyReport>> {
    let newest = verify_reports::table
        .filter(verify_reports::mode.eq(mode))
        .order(verify_reports::id.desc())
        .select(VerifyReport::as_select())
        .first(connection)
        .optional()?;
    Ok(newest.filter(|report| report.position.is_some()))
}

/// The start of the last run that this operator, or the schedule, requested.
pub fn last_start(connection: &mut PgConnection, requested_by: &str) -> QueryResult<Option<DateTime<Utc>>> {
    verify_reports::table
        .filter(verify_reports::requested_by.eq(requested_by))
        .select(diesel::dsl::max(verify_reports::started_at))
        .first(connection)
}

/// Inserts a report, and deletes the oldest.
pub fn begin(connection: &mut PgConnection, mode: &str, requested_by: &str) -> QueryResult<i64> {
    let id: i64 = diesel::insert_into(verify_reports::table)
        .values((verify_reports::mode.eq(mode), verify_reports::requested_by.eq(requested_by)))
        .returning(verify_reports::id)
        .get_result(connection)?;
    diesel::delete(verify_reports::table.filter(verify_reports::id.le(id - KEPT))).execute(connection)?;
    Ok(id)
}

/// Stores the progress of a run, and the position at which it can continue.
pub fn note(connection: &mut PgConnection, id: i64, standing: &Standing, position: &Value) -> QueryResult<()> {
    diesel::update(verify_reports::table.find(id))
        .set((
            verify_reports::crates.eq(standing.crates),
            verify_reports::files.eq(standing.files),
            verify_reports::differences.eq(standing.differences),
            verify_reports::summary.eq(&standing.summary),
            verify_reports::position.eq(position),
            verify_reports::error.eq(None::<String>),
        ))
        .execute(connection)
        .map(drop)
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    /// It was interrupted and can continue.
    Interrupted,
    /// It failed for this reason and can continue.
    Failed(String),
}

/// Stores the end of a run. A run that can continue keeps its position.
pub fn finish(connection: &mut PgConnection, id: i64, standing: &Standing, end: &End) -> QueryResult<()> {
    let error = match end {
        End::Done => None,
        End::Interrupted => Some("interrupted"),
        End::Failed(error) => Some(&**error),
    };
    diesel::update(verify_reports::table.find(id))
        .set((
            verify_reports::crates.eq(standing.crates),
            verify_reports::files.eq(standing.files),
            verify_reports::differences.eq(standing.differences),
            verify_reports::summary.eq(&standing.summary),
            verify_reports::error.eq(error),
        ))
        .execute(connection)?;
    if *end != End::Interrupted {
        diesel::update(verify_reports::table.find(id))
            .set(verify_reports::finished_at.eq(diesel::dsl::sql::<Nullable<Timestamptz>>("clock_timestamp()")))
            .execute(connection)?;
    }
    if *end == End::Done {
        diesel::update(verify_reports::table.find(id))
            .set(verify_reports::position.eq(None::<Value>))
            .execute(connection)?;
    }
    Ok(())
}

/// The number of the advisory lock.
const LOCK: i64 = 0x7665_7269_6679;

/// Takes the lock for repairs and scheduled verifications, which one process of an installation holds; false if another
/// holds it. It is released at the end of the session.
pub fn try_lock(connection: &mut PgConnection) -> QueryResult<bool> {
    use diesel::sql_types::{BigInt, Bool};
    #[derive(QueryableByName)]
    struct Taken {
        #[diesel(sql_type = Bool)]
        taken: bool,
    }
    diesel::sql_query("SELECT pg_try_advisory_lock($1) AS taken")
        .bind::<BigInt, _>(LOCK)
        .get_result::<Taken>(connection)
        .map(|row| row.taken)
}
