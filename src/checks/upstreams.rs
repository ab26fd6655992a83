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
/// The most that are counted.
const COUNTED: i64 = 1000;

pub fn check(connection: &mut PgConnection, _: &Judged<'_>) -> QueryResult<Finding> {
    let actions = [Action::UpstreamMismatch, Action::UpstreamChange, Action::UpstreamVanish];
    let found = audit_alarms::of_kinds(connection, &actions, (Utc::now() - SINCE, COUNTED))?;
    let Some(newest) = found.first() else { return answering(connection) };
    let more = if found.len() > 1 { format!(", and {} more in the last day", found.len() - 1) } else { String::new() };
    let summary = described(newest, &more);
    let detail = json!({ "newest": newest.at, "count": found.len() });
    Ok(Finding::new(UPSTREAMS, Severity::Critical, summary).with(detail))
}

fn described(newest: &Record, more: &str) -> String {
    let upstream = newest.subject.as_deref().unwrap_or("?");
    let krate = newest.detail["crate"].as_str().unwrap_or("?");
    // Many that vanish at once are one entry.
    let version = newest.detail["version"].as_str().map(|version| format!("{krate}@{version}"));
    let what = version.unwrap_or_else(|| krate.to_owned());
    let log = format!("`supercargo admin audit --action {}`", newest.action);
    let exposure = format!("`supercargo upstream exposure {upstream} {what}`");
    match newest.action.parse() {
        Ok(Action::UpstreamMismatch) => format!(
            "the upstream {upstream} sent a file of {what} that is not the one of its index{more}; it is not delivered: see {log}, and ask the \
             upstream"
        ),
        Ok(Action::UpstreamVanish) => {
            let what = match newest.detail["versions"].as_u64() {
                Some(count) => format!("{count} versions of {krate}"),
                None => what,
            };
            format!(
                "the upstream {upstream} no longer has {what} in its index{more}; it is not delivered: see who has it with {exposure}, and \
                 ask the upstream"
            )
        }
        _ => format!(
            "the upstream {upstream} changed the checksum of {what}{more}; it is not delivered: see who has the first one with {exposure}, the log \
             with {log}, and ask the upstream"
        ),
    }
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
        let summary =
            "no upstream has sent a wrong or a changed file, or lost a version, in the last day, and each answers";
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
