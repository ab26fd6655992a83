//! The check of mail to users: whether it leaves.

use chrono::{TimeDelta, Utc};
use diesel::{PgConnection, QueryResult};
use serde_json::json;

use super::finding::{Finding, Severity};
use super::judged::Judged;
use crate::database::email::notices;

pub const EMAIL: &str = "email";

/// How long mail may wait: a mail server that is restarted, or that makes senders wait, is no trouble yet.
const LONGEST: TimeDelta = TimeDelta::hours(1);

pub fn check(connection: &mut PgConnection, _: &Judged<'_>) -> QueryResult<Finding> {
    let standing = notices::standing(connection)?;
    let waits = standing.since.map_or(TimeDelta::zero(), |since| Utc::now() - since);
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 seconds")]
    let (seconds, limit) = (waits.num_seconds() as f64, LONGEST.num_seconds() as f64);
    if waits <= LONGEST {
        return Ok(Finding::new(EMAIL, Severity::Ok, "no mail waits for long").measured(
            seconds,
            "s",
            None,
            Some(limit),
        ));
    }
    let because = standing.error.as_deref().map_or_else(String::new, |error| format!(": {error}"));
    let summary = format!(
        "mail to users has waited for {} min{because}; test the mail server with `supercargo admin email test`",
        waits.num_minutes()
    );
    let finding = Finding::new(EMAIL, Severity::Warning, summary).measured(seconds, "s", None, Some(limit));
    Ok(finding.with(json!({ "waiting": standing.waiting, "since": standing.since, "error": standing.error })))
}
