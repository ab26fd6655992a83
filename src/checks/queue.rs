//! The checks of jobs and workers.

use std::time::Duration;

use diesel::{PgConnection, QueryResult};
use serde_json::json;

use super::finding::{Finding, Measure, Severity, span};
use super::judged::Judged;
use crate::queue::trouble::{self, TroubledJob};

pub const OLDEST_JOB: &str = "oldest_job";
pub const DEAD_JOBS: &str = "dead_jobs";
pub const FAILING_JOBS: &str = "failing_jobs";
pub const HUNG_JOBS: &str = "hung_jobs";
pub const UNKNOWN_JOBS: &str = "unknown_jobs";
pub const WORKERS: &str = "workers";

/// Added to the time limit of a kind. By then the process, the database or the sweep has ended the job if they could.
const AFTER_ITS_LIMIT: Duration = Duration::from_secs(60);
/// Attempts after which a job counts as failing.
const FAILING_ATTEMPTS: u32 = 6;
/// Jobs in the details.
const NAMED: usize = 5;
/// The time limit of unknown kinds.
const USUAL_LIMIT: Duration = Duration::from_secs(60);

pub fn oldest_job(connection: &mut PgConnection, judged: &Judged<'_>) -> QueryResult<Finding> {
    let limit = judged.limits.max_job_age;
    let oldest = trouble::oldest(connection, &judged.kinds.of_others())?;
    let age = oldest.as_ref().map_or(0.0, |job| job.seconds);
    let (warning, critical) = (limit.warning.as_secs_f64(), limit.critical.as_secs_f64());
    let (severity, exceeded) = match age {
        age if age > critical => (Severity::Critical, critical),
        age if age > warning => (Severity::Warning, warning),
        _ => (Severity::Ok, critical),
    };
    let summary = match oldest {
        None => "no job is pending".to_owned(),
        Some(_) => format!("oldest job pending for {} (limit {})", span(age), span(exceeded)),
    };
    Ok(Finding::new(OLDEST_JOB, severity, summary)
        .measured(age.floor(), "s", Some(warning), Some(critical))
        .with(oldest))
}

pub fn dead_jobs(connection: &mut PgConnection, judged: &Judged<'_>) -> QueryResult<Finding> {
    let limit = judged.limits.max_dead_jobs;
    let dead = trouble::dead(connection)?;
    let severity = if total(&dead) > i64::from(limit) { Severity::Critical } else { Severity::Ok };
    Ok(counted(DEAD_JOBS, severity, "dead", Some(f64::from(limit)), dead))
}

pub fn failing_jobs(connection: &mut PgConnection, judged: &Judged<'_>) -> QueryResult<Finding> {
    let limits = &judged.limits;
    let failing = trouble::failing(connection, FAILING_ATTEMPTS, limits.max_outage, &judged.kinds.of_others())?;
    let severity = if failing.is_empty() { Severity::Ok } else { Severity::Critical };
    Ok(counted(FAILING_JOBS, severity, "failing", Some(0.0), failing))
}

pub fn hung_jobs(connection: &mut PgConnection, judged: &Judged<'_>) -> QueryResult<Finding> {
    let too_long = |job: &TroubledJob| {
        let of_kind = || judged.kinds.policy_of(&job.kind).map_or(USUAL_LIMIT, |policy| policy.time_limit);
        let limit = judged.limits.max_job_run.unwrap_or_else(|| of_kind() + AFTER_ITS_LIMIT);
        job.seconds > limit.as_secs_f64()
    };
    let mut hung: Vec<_> = trouble::running(connection)?.into_iter().filter(too_long).collect();
    let severity = if hung.is_empty() { Severity::Ok } else { Severity::Critical };
    let count = hung.len();
    let mut summary = counted_summary(count.try_into().unwrap_or(i64::MAX), "hung", &hung);
    if let Some(first) = hung.first() {
        summary = format!("{summary}: its row has been held for {}", span(first.seconds));
    }
    hung.truncate(NAMED);
    Ok(Finding::new(HUNG_JOBS, severity, summary)
        .measured(count as f64, "", None, Some(0.0))
        .with(json!({ "jobs": hung })))
}

pub fn unknown_jobs(connection: &mut PgConnection, judged: &Judged<'_>) -> QueryResult<Finding> {
    let unknown = trouble::unknown(connection, &judged.kinds.names())?;
    let severity = if unknown.is_empty() { Severity::Ok } else { Severity::Warning };
    let mut finding = counted(UNKNOWN_JOBS, severity, "of an unknown kind", None, unknown);
    finding.measure = finding.measure.map(|measure| Measure { warning: Some(0.0), ..measure });
    Ok(finding)
}

pub fn workers(connection: &mut PgConnection, judged: &Judged<'_>) -> QueryResult<Finding> {
    let required = judged.limits.min_workers;
    let processes = trouble::workers(connection)?;
    let queues = trouble::attendance(connection, judged.kinds.queues_with_one_worker())?;
    let without: Vec<&str> = queues.iter().filter(|queue| !queue.taken).map(|queue| queue.queue.as_str()).collect();
    let count = processes.len();
    let (severity, summary) = if count == 0 && required > 0 {
        (Severity::Critical, "no worker is alive".to_owned())
    } else if count < required as usize {
        (Severity::Critical, format!("{count} of {required} workers are alive"))
    } else if required > 0 && !without.is_empty() {
        (Severity::Critical, format!("no worker takes jobs of {}", without.join(" and ")))
    } else {
        (
            Severity::Ok,
            format!("{} alive", if count == 1 { "1 worker is".to_owned() } else { format!("{count} workers are") }),
        )
    };
    // The limit is a lower one, and measures have upper limits only.
    Ok(Finding::new(WORKERS, severity, summary)
        .measured(count as f64, "", None, None)
        .with(json!({ "workers": processes, "queues": queues })))
}

fn total(jobs: &[TroubledJob]) -> i64 {
    jobs.first().map_or(0, |job| job.total)
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 jobs")]
fn counted(
    check: &'static str,
    severity: Severity,
    what: &str,
    critical: Option<f64>,
    jobs: Vec<TroubledJob>,
) -> Finding {
    let count = total(&jobs);
    Finding::new(check, severity, counted_summary(count, what, &jobs))
        .measured(count as f64, "", None, critical)
        .with(json!({ "jobs": jobs }))
}

/// The number of jobs, and the first one.
fn counted_summary(count: i64, what: &str, jobs: &[TroubledJob]) -> String {
    let Some(first) = jobs.first() else { return format!("no job is {what}") };
    let key = first.key.as_deref().map(|key| format!(" {key}")).unwrap_or_default();
    let named = format!("{} {}{key}", first.id, first.kind);
    match count {
        1 => format!("1 job is {what} ({named})"),
        count => format!("{count} jobs are {what} ({named} and others)"),
    }
}
