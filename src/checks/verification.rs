//! The check of the newest verification: its result and its age.

use chrono::Utc;
use diesel::{PgConnection, QueryResult};
use serde_json::json;

use super::finding::{Finding, Severity, span};
use super::judged::Judged;
use crate::database::upkeep::verify_reports::{self, VerifyReport};

pub const VERIFICATION: &str = "verification";

pub fn check(connection: &mut PgConnection, judged: &Judged<'_>) -> QueryResult<Finding> {
    let limit = judged.limits.max_verify_age;
    let Some(report) = verify_reports::newest_finished(connection)? else {
        let severity = if limit.is_some() { Severity::Warning } else { Severity::Ok };
        return Ok(Finding::new(VERIFICATION, severity, "no verification has finished yet: run `supercargo verify`"));
    };
    let ended = report.finished_at.unwrap_or(report.started_at);
    let age = (Utc::now() - ended).as_seconds_f64().max(0.0);
    let [warning, critical] =
        [limit.map(|limit| limit.warning.as_secs_f64()), limit.map(|limit| limit.critical.as_secs_f64())];
    let (severity, summary) = judge(&report, age, warning, critical);
    let VerifyReport { id, started_at, mode, requested_by, differences, summary: found, error, .. } = report;
    Ok(Finding::new(VERIFICATION, severity, summary).measured(age.floor(), "s", warning, critical).with(json!({
        "report": id, "started_at": started_at, "ended_at": ended, "mode": mode, "requested_by": requested_by,
        "differences": differences, "found": found, "error": error,
    })))
}

fn judge(report: &VerifyReport, age: f64, warning: Option<f64>, critical: Option<f64>) -> (Severity, String) {
    let ago = span(age);
    if report.differences > 0 {
        let differences = report.differences;
        let noun = if differences == 1 { "difference" } else { "differences" };
        return (Severity::Critical, format!("the verification of {ago} ago found {differences} {noun}"));
    }
    if critical.is_some_and(|critical| age > critical) {
        return (Severity::Critical, format!("the last verification was {ago} ago"));
    }
    if let Some(error) = &report.error {
        return (Severity::Warning, format!("the verification of {ago} ago ended early: {error}"));
    }
    let severity = if warning.is_some_and(|warning| age > warning) { Severity::Warning } else { Severity::Ok };
    (severity, format!("the last verification was {ago} ago"))
}
