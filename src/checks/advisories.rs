//! The check of advisories: whether those about upstreams are read as they should be.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{PgConnection, QueryResult};
use serde_json::json;

use super::finding::{Finding, Severity};
use super::judged::Judged;
use crate::database::advisories::sources::{self, Source};

pub const ADVISORIES: &str = "advisories";

/// For how long a source may not be read.
const LONGEST: TimeDelta = TimeDelta::days(1);

pub fn check(connection: &mut PgConnection, _: &Judged<'_>) -> QueryResult<Finding> {
    Ok(judge(&sources::list(connection)?, Utc::now()))
}

fn judge(sources: &[Source], now: DateTime<Utc>) -> Finding {
    let stale: Vec<&Source> = sources.iter().filter(|source| now - source.stale_since() > LONGEST).collect();
    let Some(oldest) = stale.iter().min_by_key(|source| source.stale_since()) else {
        let summary = match sources.len() {
            0 => "there are no sources of advisories",
            _ => "all sources of advisories were read in the last day",
        };
        return Finding::new(ADVISORIES, Severity::Ok, summary);
    };
    let (upstream, since) = (&oldest.upstream, oldest.stale_since().format("%Y-%m-%d %H:%M"));
    let more =
        if stale.len() > 1 { format!(", and those of {} more upstreams", stale.len() - 1) } else { String::new() };
    let problem = oldest.problem.as_deref().unwrap_or("no process with --advisories runs jobs");
    let summary = format!(
        "the advisories about {upstream} were not read since {since} UTC{more}: {problem}; see `supercargo advisory status`"
    );
    let details =
        json!({ "upstream": upstream, "since": oldest.stale_since(), "problem": oldest.problem, "count": stale.len() });
    Finding::new(ADVISORIES, Severity::Warning, summary).with(details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_was_not_read_for_a_day_is_a_warning() {
        let now = Utc::now();
        let source = |upstream: &str, hours: i64, problem: Option<&str>| Source {
            upstream: upstream.to_owned(),
            source: "/srv/advisories".to_owned(),
            known_source: None,
            revision: None,
            generation: 0,
            created_at: now - TimeDelta::hours(hours),
            checked_at: None,
            refreshed_at: None,
            problem: problem.map(str::to_owned),
            skipped: 0,
            skipped_files: json!([]),
        };
        assert_eq!(judge(&[], now).severity, Severity::Ok);
        assert_eq!(judge(&[source("acme", 23, Some("away"))], now).severity, Severity::Ok);
        let read = Source { refreshed_at: Some(now), ..source("acme", 50, None) };
        assert_eq!(judge(&[read], now).severity, Severity::Ok);
        let stale = judge(&[source("acme", 25, None), source("crates-io", 30, Some("git has failed"))], now);
        assert_eq!(stale.severity, Severity::Warning);
        assert!(stale.summary.contains("about crates-io") && stale.summary.contains("1 more"), "{}", stale.summary);
        assert!(stale.summary.contains("git has failed"), "{}", stale.summary);
    }
}
