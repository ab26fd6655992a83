//! The entries of some actions in the last time, for checks.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::audit::{Action, Record};
use crate::database::schema::audit_log;

/// The entries of some kinds since a time, the newest first, and no more than `limit`.
pub fn of_kinds(
    connection: &mut PgConnection,
    actions: &[Action],
    (since, limit): (DateTime<Utc>, i64),
) -> QueryResult<Vec<Record>> {
    let of = audit_log::action.eq_any(actions.iter().map(|action| action.as_str())).and(audit_log::at.gt(since));
    let newest_first = audit_log::table.filter(of).order(audit_log::id.desc()).limit(limit);
    newest_first.select(Record::as_select()).load(connection)
}

/// The entries of some actions since then, the oldest first.
pub fn since(connection: &mut PgConnection, actions: &[Action], since: DateTime<Utc>) -> QueryResult<Vec<Record>> {
    let actions: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
    let of = audit_log::action.eq_any(actions).and(audit_log::at.gt(since));
    audit_log::table.filter(of).order(audit_log::id).select(Record::as_select()).load(connection)
}
