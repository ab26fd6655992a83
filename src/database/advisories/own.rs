//! Advisories of this registry about its own crates. Each change is a revision, and the last one of an id is what counts. In the
//! table of all advisories they have the empty name for an upstream.

use chrono::{DateTime, Utc};
use diesel::dsl::max;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::Value;

use super::exchange::{self, Row};
use crate::database::schema::{advisories, advisory_revisions};
use crate::statement::statement;

/// The upstream of advisories about crates of this registry.
pub const OWN: &str = "";

/// What an advisory said from a time on.
#[derive(Queryable, Insertable, Clone, Debug)]
#[diesel(table_name = advisory_revisions)]
pub struct Revision {
    pub number: i64,
    pub advisory_id: String,
    pub content: Value,
    pub at: DateTime<Utc>,
}

/// Makes changes one at a time until the transaction ends, so that the numbers of revisions are in the order of their commits.
pub fn lock(connection: &mut PgConnection) -> QueryResult<()> {
    statement("LOCK TABLE advisory_revisions IN SHARE ROW EXCLUSIVE MODE").execute(connection).map(drop)
}

/// The number of the last revision; 0 if there is none.
pub fn last(connection: &mut PgConnection) -> QueryResult<i64> {
    let last: Option<i64> = advisory_revisions::table.select(max(advisory_revisions::number)).first(connection)?;
    Ok(last.unwrap_or(0))
}

/// All revisions, in their order.
pub fn revisions(connection: &mut PgConnection) -> QueryResult<Vec<Revision>> {
    advisory_revisions::table.order(advisory_revisions::number).load(connection)
}

/// What an advisory says, and since when.
pub fn find(connection: &mut PgConnection, id: &str) -> QueryResult<Option<Revision>> {
    advisory_revisions::table
        .filter(advisory_revisions::advisory_id.eq(id))
        .order(advisory_revisions::number.desc())
        .first(connection)
        .optional()
}

/// The id that is the same apart from its case: the repository has a file for each, and some file systems know no case.
pub fn spelled_alike(connection: &mut PgConnection, id: &str) -> QueryResult<Option<String>> {
    advisory_revisions::table
        .filter(diesel::dsl::sql::<Text>("lower(advisory_id)").eq(id.to_lowercase()))
        .select(advisory_revisions::advisory_id)
        .first(connection)
        .optional()
}

/// The ids that begin so.
pub fn ids_with(connection: &mut PgConnection, prefix: &str) -> QueryResult<Vec<String>> {
    let pattern = format!("{}%", prefix.replace('_', "\\_"));
    advisory_revisions::table
        .filter(advisory_revisions::advisory_id.like(pattern))
        .select(advisory_revisions::advisory_id)
        .distinct()
        .load(connection)
}

/// Adds a revision, and what it says, to be looked up. Under the lock.
pub fn revise(connection: &mut PgConnection, row: &Row, content: Value) -> QueryResult<()> {
    let revision =
        Revision { number: last(connection)? + 1, advisory_id: row.advisory_id.clone(), content, at: Utc::now() };
    diesel::insert_into(advisory_revisions::table).values(revision).execute(connection)?;
    exchange::store(connection, &[row])
}

/// Whether there is one about a crate, also a withdrawn one.
pub fn any_about(connection: &mut PgConnection, canonical_name: &str) -> QueryResult<bool> {
    use diesel::dsl::{exists, select};
    let about = advisories::upstream.eq(OWN).and(advisories::canonical_name.eq(canonical_name));
    select(exists(advisories::table.filter(about))).get_result(connection)
}
