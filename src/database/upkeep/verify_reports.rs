//! What verifications found, a row a run.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Timestamptz};
use serde_json::Value;

use crate::database::schema::verify_reports;

/// Reports that are kept.
const KEPT: i64 = 1000;

/// One run.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = verify_reports)]
pub struct VerifyReport {
    pub id: i64,
    pub started_at: DateTime<Utc>,
    /// None while it runs, and after its process was killed.
    pub finished_at: Option<DateTime<Utc>>,
    /// `full` or `light`.
    pub mode: String,
    /// An operator's account, or `schedule`.
    pub requested_by: String,
    pub crates: i64,
    pub files: i64,
    /// Those that are left after the repair, if there was one.
    pub differences: i64,
    /// The differences by kind, and the first of them.
    pub summary: Value,
    /// Why it ended early.
    pub error: Option<String>,
    /// How far an unfinished run came.
    pub position: Option<Value>,
}

/// How far a run is.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub crates: i64,
    pub files: i64,
    pub differences: i64,
    pub summary: Value,
}

/// The last run that ended, whatever it found: what a monitor reads. A run that could not be carried out to its end has an
/// [`error`](VerifyReport::error).
pub fn newest_finished(connection: &mut PgConnection) -> QueryResult<Option<VerifyReport>> {
    verify_reports::table
        .filter(verify_reports::finished_at.is_not_null())
        .order(verify_reports::id.desc())
        .select(VerifyReport::as_select())
        .first(connection)
        .optional()
}

/// The newest run of this mode, if it was interrupted and can go on.
pub fn interrupted(connection: &mut PgConnection, mode: &str) -> QueryResult<Option<VerifyReport>> {
    let newest = verify_reports::table
        .filter(verify_reports::mode.eq(mode))
        .order(verify_reports::id.desc())
        .select(VerifyReport::as_select())
        .first(connection)
        .optional()?;
    Ok(newest.filter(|report| report.position.is_some()))
}

/// When the last run by this hand began.
pub fn last_start(connection: &mut PgConnection, requested_by: &str) -> QueryResult<Option<DateTime<Utc>>> {
    verify_reports::table
        .filter(verify_reports::requested_by.eq(requested_by))
        .select(diesel::dsl::max(verify_reports::started_at))
        .first(connection)
}

/// Begins a report, and forgets the oldest.
pub fn begin(connection: &mut PgConnection, mode: &str, requested_by: &str) -> QueryResult<i64> {
    let id: i64 = diesel::insert_into(verify_reports::table)
        .values((verify_reports::mode.eq(mode), verify_reports::requested_by.eq(requested_by)))
        .returning(verify_reports::id)
        .get_result(connection)?;
    diesel::delete(verify_reports::table.filter(verify_reports::id.le(id - KEPT))).execute(connection)?;
    Ok(id)
}

/// Writes how far a run is, and from where it could go on.
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

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    /// It can go on, and has not ended.
    Interrupted,
    /// It can go on, but for this reason not now.
    Failed(String),
}

/// Writes how a run ended. One that can go on keeps its position.
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

/// Keeps this advisory lock apart from those of other programs in the same database.
const LOCK: i64 = 0x7665_7269_6679;

/// Takes the right to repair, and to verify by schedule, which one has in an installation; false if somebody has it. It ends
/// with the session.
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

/// Gives that right back.
pub fn unlock(connection: &mut PgConnection) -> QueryResult<()> {
    use diesel::sql_types::BigInt;
    diesel::sql_query("SELECT pg_advisory_unlock($1)").bind::<BigInt, _>(LOCK).execute(connection).map(drop)
}
