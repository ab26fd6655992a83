//! What happened and is not passed on yet. Triggers write a row in the transaction of what happened, if there is a webhook at
//! all. A row is passed on when it is *settled*: the index shows what it tells of.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Jsonb, Text, Timestamptz};
use serde_json::Value;

use crate::database::catalog::index_files::NOT_AS_DESIRED;
use crate::database::schema::webhook_outbox;
use crate::statement::statement;

/// Keeps the lock on the outbox apart from others: `hooks` in ASCII.
const LOCK: i64 = 0x68_6f_6f_6b_73;

/// Something that happened.
#[derive(QueryableByName, Clone, Debug)]
pub struct Entry {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// `audit`, `dead-job` or `verification`.
    #[diesel(sql_type = Text)]
    pub source: String,
    /// The row that tells of it.
    #[diesel(sql_type = Jsonb)]
    pub entry: Value,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
}

/// Takes the lock on the outbox until the transaction ends, so that one process passes its rows on; false if another has it.
pub fn try_lock(connection: &mut PgConnection) -> QueryResult<bool> {
    diesel::select(diesel::dsl::sql::<Bool>("pg_try_advisory_xact_lock(").bind::<BigInt, _>(LOCK).sql(")"))
        .get_result(connection)
}

/// SQL: the entry is of a change that the index does not show yet, in a statement with the common table expression `pending`.
const UNSETTLED: &str = "(source = 'audit' AND entry->>'action' IN ('publish', 'yank', 'unyank', 'version-delete', 'crate-delete')
    AND CASE WHEN entry->>'version' IS NULL
             THEN replace(lower(entry->>'crate_name'), '-', '_') IN (SELECT canonical_name FROM pending)
             ELSE (replace(lower(entry->>'crate_name'), '-', '_'), entry->>'version') IN (SELECT canonical_name, num FROM pending)
        END)";

/// SQL: the versions that are not as desired.
fn pending() -> String {
    format!(
        "WITH pending AS MATERIALIZED (
             SELECT canonical_name, num FROM versions JOIN crates ON crates.id = crate_id WHERE {NOT_AS_DESIRED})"
    )
}

/// The oldest settled entries. Events of one crate are committed one after the other, under the lock of its row, so that none of
/// them is missing before a later one.
pub fn settled(connection: &mut PgConnection, limit: i32) -> QueryResult<Vec<Entry>> {
    diesel::sql_query(format!(
        "{} SELECT id, source, entry, at FROM webhook_outbox WHERE NOT {UNSETTLED} ORDER BY id LIMIT $1",
        pending()
    ))
    .bind::<Integer, _>(limit)
    .load(connection)
}

/// Removes entries that were passed on.
pub fn remove(connection: &mut PgConnection, ids: &[i64]) -> QueryResult<()> {
    diesel::delete(webhook_outbox::table.filter(webhook_outbox::id.eq_any(ids))).execute(connection).map(drop)
}

/// Removes entries that never settled, such as those of publishes whose job an operator has discarded.
pub fn remove_unsettled(connection: &mut PgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::sql_query(format!("{} DELETE FROM webhook_outbox WHERE at < $1 AND {UNSETTLED}", pending()))
        .bind::<Timestamptz, _>(before)
        .execute(connection)
}

/// What there is.
#[derive(QueryableByName, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Any {
    #[diesel(sql_type = Bool)]
    pub webhooks: bool,
    /// Webhooks, or users who get mail.
    #[diesel(sql_type = Bool)]
    pub receivers: bool,
    /// Something is not passed on yet.
    #[diesel(sql_type = Bool)]
    pub entries: bool,
}

/// Whether there are webhooks at all, and something to pass on.
pub fn any(connection: &mut PgConnection) -> QueryResult<Any> {
    statement(
        "SELECT webhooks, webhooks OR EXISTS (SELECT FROM email_recipients WHERE confirmed_at IS NOT NULL) AS receivers,
             EXISTS (SELECT FROM webhook_outbox) AS entries
         FROM (SELECT EXISTS (SELECT FROM webhooks) AS webhooks) AS known",
    )
    .get_result(connection)
}
