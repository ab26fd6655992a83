//! The check of upstreams: whether what they send is what their indexes say, and stays so, and whether they answer.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use diesel::{PgConnection, QueryResult};
use serde_json::json;

use super::finding::{Finding, Severity};
use super::judged::Judged;
use crate::database::access::audit::{Action, Record};
use crate::database::access::audit_alarms;

pub const UPSTREAMS: &str = "upstreams";

/// How long a finding lasts.
const SINCE: TimeDelta = TimeDelta::days(1);
/// How long an outage counts whose end is not known.
const FORGOTTEN: TimeDelta = TimeDelta::days(7);

pub fn check(connection: &mut PgConnection, _: &Judged<'_>) -> QueryResult<Finding> {
    let actions = [Action::UpstreamMismatch, Action::UpstreamChange];
    let (newest, count) = audit_alarms::newest_of(connection, &actions, Utc::now() - SINCE)?;
    let Some(newest) = newest else { return answering(connection) };
    let of = |field: &str| newest.detail[field].as_str().unwrap_or("?").to_owned();
    let (upstream, what) = (newest.subject.as_deref().unwrap_or("?"), format!("{}@{}", of("crate"), of("version")));
    let happened = if newest.action == Action::UpstreamMismatch.as_str() {
        format!("the upstream {upstream} sent a file of {what} that is not the one of its index")
    } else {
        format!("the upstream {upstream} changed the checksum of {what}")
    };
    let more = if count > 1 { format!(", and {} more in the last day", count - 1) } else { String::new() };
    let summary = format!(
        "{happened}{more}; it is not delivered: see `supercargo admin audit --action {}`, and ask the upstream",
        newest.action
    );
    Ok(Finding::new(UPSTREAMS, Severity::Critical, summary).with(json!({ "newest": newest.at, "count": count })))
}

/// Whether an outage has begun whose end is not known. It ends by itself after a week: `serve` may have been stopped.
fn answering(connection: &mut PgConnection) -> QueryResult<Finding> {
    let actions = [Action::UpstreamAway, Action::UpstreamBack];
    let reported = audit_alarms::since(connection, &actions, Utc::now() - FORGOTTEN)?;
    let mut last: BTreeMap<String, Record> = BTreeMap::new();
    // The oldest first: the newest of each upstream stays.
    for record in reported {
        last.insert(record.subject.clone().unwrap_or_default(), record);
    }
    let mut away = last.into_iter().filter(|(_, record)| record.action == Action::UpstreamAway.as_str());
    let Some((upstream, record)) = away.next() else {
        let summary = "no upstream has sent a wrong or a changed file in the last day, and each answers";
        return Ok(Finding::new(UPSTREAMS, Severity::Ok, summary));
    };
    let more = match away.count() {
        0 => String::new(),
        count => format!(", and {count} more"),
    };
    let (since, problem) = (record.detail["since"].as_str().unwrap_or("?"), record.detail["problem"].as_str());
    let summary = format!(
        "the upstream {upstream} has not answered since {since}{more} ({}): what is kept is served",
        problem.unwrap_or("?")
    );
    Ok(Finding::new(UPSTREAMS, Severity::Critical, summary).with(json!({ "since": since })))
}
