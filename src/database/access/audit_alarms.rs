//! The entries of some actions in the last time, for checks.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::audit::{Action, Record};
use crate::database::schema::audit_log;

/// The newest entry of some kinds since a time, and how many there are.
pub fn newest_of(
    connection: &mut PgConnection,
    actions: &[Action],
    since: DateTime<Utc>,
) -> QueryResult<(Option<Record>, i64)> {
    let actions: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
    let of = || audit_log::action.eq_any(actions.clone()).and(audit_log::at.gt(since));
    let newest = audit_log::table.filter(of()).order(audit_log::id.desc()).select(Record::as_select());
    Ok((newest.first(connection).optional()?, audit_log::table.filter(of()).count().get_result(connection)?))
}

/// The entries of some actions since then, the oldest first.
pub fn since(connection: &mut PgConnection, actions: &[Action], since: DateTime<Utc>) -> QueryResult<Vec<Record>> {
    let actions: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
    let of = audit_log::action.eq_any(actions).and(audit_log::at.gt(since));
    audit_log::table.filter(of).order(audit_log::id).select(Record::as_select()).load(connection)
}
