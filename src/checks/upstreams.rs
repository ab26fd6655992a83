//! The check of upstreams: whether what they send is what their indexes say, and stays so.

use chrono::{TimeDelta, Utc};
use diesel::{PgConnection, QueryResult};
use serde_json::json;

use super::finding::{Finding, Severity};
use super::judged::Judged;
use crate::database::access::audit::{self, Action};

pub const UPSTREAMS: &str = "upstreams";

/// How long a finding lasts.
const SINCE: TimeDelta = TimeDelta::days(1);

pub fn check(connection: &mut PgConnection, _: &Judged<'_>) -> QueryResult<Finding> {
    let actions = [Action::UpstreamMismatch, Action::UpstreamChange];
    let (newest, count) = audit::newest_of(connection, &actions, Utc::now() - SINCE)?;
    let Some(newest) = newest else {
        return Ok(Finding::new(
            UPSTREAMS,
            Severity::Ok,
            "no upstream has sent a wrong or a changed file in the last day",
        ));
    };
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
