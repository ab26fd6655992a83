//! The check of upstreams: whether what they send is what their indexes say, and stays so.

use chrono::{TimeDelta, Utc};
use diesel::{PgConnection, QueryResult};
use serde_json::json;

use super::finding::{Finding, Severity};
use super::judged::Judged;
use crate::database::access::audit::{self, Action, Record};

pub const UPSTREAMS: &str = "upstreams";

/// How long a finding lasts.
const SINCE: TimeDelta = TimeDelta::days(1);
/// The most that are counted.
const COUNTED: i64 = 1000;

pub fn check(connection: &mut PgConnection, _: &Judged<'_>) -> QueryResult<Finding> {
    let actions = [Action::UpstreamMismatch, Action::UpstreamChange, Action::UpstreamVanish];
    let found = audit::of_kinds(connection, &actions, (Utc::now() - SINCE, COUNTED))?;
    let Some(newest) = found.first() else {
        return Ok(Finding::new(
            UPSTREAMS,
            Severity::Ok,
            "no upstream has sent a wrong or a changed file, or lost a version, in the last day",
        ));
    };
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
            "the upstream {upstream} sent a file of {what} that is not the one of its index{more}; nobody gets it: see {log}, and ask the \
             upstream"
        ),
        Ok(Action::UpstreamVanish) => {
            let what = match newest.detail["versions"].as_u64() {
                Some(count) => format!("{count} versions of {krate}"),
                None => what,
            };
            format!(
                "the upstream {upstream} no longer has {what} in its index{more}; nobody gets it any more: see who has it with {exposure}, and \
                 ask the upstream"
            )
        }
        _ => format!(
            "the upstream {upstream} changed the checksum of {what}{more}; nobody gets it: see who has the first one with {exposure}, the log \
             with {log}, and ask the upstream"
        ),
    }
}
