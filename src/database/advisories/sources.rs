//! Where advisories about upstreams come from. One process of an installation refreshes them at a time.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use serde_json::Value;

use crate::database::schema::{advisories, advisory_sources};

/// The number of the lock of the process that refreshes.
const LOCK: i64 = 0x6164_7669_7365;

/// A source, and what became of its last refresh.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = advisory_sources)]
pub struct Source {
    pub upstream: String,
    /// A URL of a git repository, or a directory.
    pub source: String,
    /// That of the advisories that are known.
    pub known_source: Option<String>,
    pub revision: Option<String>,
    pub generation: i64,
    pub created_at: DateTime<Utc>,
    pub checked_at: Option<DateTime<Utc>>,
    pub refreshed_at: Option<DateTime<Utc>>,
    pub problem: Option<String>,
    pub skipped: i32,
    pub skipped_files: Value,
}

impl Source {
    /// Since when it was not refreshed.
    pub fn stale_since(&self) -> DateTime<Utc> {
        self.refreshed_at.unwrap_or(self.created_at)
    }
}

/// All sources, by upstream.
pub fn list(connection: &mut PgConnection) -> QueryResult<Vec<Source>> {
    advisory_sources::table.order(advisory_sources::upstream).select(Source::as_select()).load(connection)
}

pub fn find(connection: &mut PgConnection, upstream: &str) -> QueryResult<Option<Source>> {
    advisory_sources::table.find(upstream).select(Source::as_select()).first(connection).optional()
}

/// Notes the source of an upstream. Another one than before is due at once.
pub fn declare(connection: &mut PgConnection, upstream: &str, source: &str) -> QueryResult<()> {
    use diesel::query_dsl::methods::FilterDsl as _;
    diesel::insert_into(advisory_sources::table)
        .values((advisory_sources::upstream.eq(upstream), advisory_sources::source.eq(source)))
        .on_conflict(advisory_sources::upstream)
        .do_update()
        .set((
            advisory_sources::source.eq(source),
            advisory_sources::revision.eq(None::<String>),
            advisory_sources::checked_at.eq(None::<DateTime<Utc>>),
        ))
        .filter(advisory_sources::source.ne(source))
        .execute(connection)
        .map(drop)
}

/// Removes a source with all advisories that came from it; false if there is none.
pub fn forget(connection: &mut PgConnection, upstream: &str) -> QueryResult<bool> {
    connection.transaction(|connection| {
        diesel::delete(advisories::table.filter(advisories::upstream.eq(upstream))).execute(connection)?;
        let removed = diesel::delete(advisory_sources::table.find(upstream)).execute(connection)?;
        Ok(removed > 0)
    })
}

/// The upstreams that have a source, each with the number that rises when its advisories change.
pub fn generations(connection: &mut PgConnection) -> QueryResult<Vec<(String, i64)>> {
    advisory_sources::table.select((advisory_sources::upstream, advisory_sources::generation)).load(connection)
}

/// Takes the lock of the one who refreshes, until the session ends; false if another one has it.
pub fn try_lock(session: &mut PgConnection) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Taken {
        #[diesel(sql_type = Bool)]
        taken: bool,
    }
    diesel::sql_query("SELECT pg_try_advisory_lock($1) AS taken")
        .bind::<BigInt, _>(LOCK)
        .get_result::<Taken>(session)
        .map(|row| row.taken)
}

/// Notes that a refresh has failed, and why.
pub fn note_failure(connection: &mut PgConnection, upstream: &str, problem: &str) -> QueryResult<()> {
    diesel::update(advisory_sources::table.find(upstream))
        .set((advisory_sources::checked_at.eq(Utc::now()), advisory_sources::problem.eq(problem)))
        .execute(connection)
        .map(drop)
}

/// Notes that the source has not changed since the last refresh.
pub fn note_unchanged(connection: &mut PgConnection, upstream: &str) -> QueryResult<()> {
    let now = Utc::now();
    connection.transaction(|connection| {
        diesel::update(advisory_sources::table.find(upstream))
            .set((
                advisory_sources::checked_at.eq(now),
                advisory_sources::refreshed_at.eq(now),
                advisory_sources::problem.eq(None::<String>),
            ))
            .execute(connection)?;
        let of_it = advisories::upstream.eq(upstream).and(advisories::vanished_at.is_null());
        diesel::update(advisories::table.filter(of_it)).set(advisories::last_seen.eq(now)).execute(connection).map(drop)
    })
}
