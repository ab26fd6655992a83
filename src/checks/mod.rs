//! Checks of a registry's health that need its database, or the disk of this process. `monitor` runs them with others that
//! need more; a page shows their findings within a request.

pub mod disk;
pub mod disk_full;
pub mod finding;

mod advisories;
mod email;
mod judged;
mod queue;
mod upstreams;
mod verification;
mod webhooks;

use diesel::{PgConnection, QueryResult};
use serde_json::json;

use self::finding::{Finding, Severity};
use crate::queue::JobError;

pub use judged::Judged;
pub use queue::DEAD_JOBS;
pub use verification::VERIFICATION;

/// A check that queries the database. Its name is needed when the database is unreachable.
type DatabaseCheck = (&'static str, fn(&mut PgConnection, &Judged<'_>) -> QueryResult<Finding>);

const DATABASE_CHECKS: [DatabaseCheck; 11] = [
    (queue::OLDEST_JOB, queue::oldest_job),
    (queue::DEAD_JOBS, queue::dead_jobs),
    (queue::FAILING_JOBS, queue::failing_jobs),
    (queue::HUNG_JOBS, queue::hung_jobs),
    (queue::UNKNOWN_JOBS, queue::unknown_jobs),
    (queue::WORKERS, queue::workers),
    (verification::VERIFICATION, verification::check),
    (webhooks::WEBHOOKS, webhooks::check),
    (email::EMAIL, email::check),
    (upstreams::UPSTREAMS, upstreams::check),
    (advisories::ADVISORIES, advisories::check),
];

/// Runs the checks that query the database. None prevents another.
pub fn of_database(connection: &mut PgConnection, judged: &Judged<'_>) -> Vec<Finding> {
    DATABASE_CHECKS.iter().map(|check| run(check, connection, judged)).collect()
}

/// The same checks, skipped for this reason.
pub fn without_database(because: &str) -> Vec<Finding> {
    DATABASE_CHECKS.iter().map(|(name, _)| Finding::skipped(name, because)).collect()
}

fn run((name, check): &DatabaseCheck, connection: &mut PgConnection, judged: &Judged<'_>) -> Finding {
    check(connection, judged).unwrap_or_else(|error| {
        let reason = JobError::failed(error).to_string();
        Finding::new(name, Severity::Unknown, format!("cannot check {name}: {reason}")).with(json!({ "error": reason }))
    })
}

/// The highest severity of all findings.
pub fn worst(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Unknown).max(Severity::Ok)
}
