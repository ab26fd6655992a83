//! The checks, and a round of all of them.

mod certificate;
mod database;
mod disk;
mod disk_full;
mod endpoint;
mod index_remote;
mod queue;
mod verification;
mod watched;

use diesel::PgConnection;
use serde_json::json;

use crate::monitor::finding::{Finding, Severity};
use crate::queue::JobError;

pub use watched::Watched;

/// A check that queries the database. Its name is needed when the database is unreachable.
type DatabaseCheck = (&'static str, fn(&mut PgConnection, &Watched) -> diesel::QueryResult<Finding>);

const DATABASE_CHECKS: [DatabaseCheck; 7] = [
    (queue::OLDEST_JOB, queue::oldest_job),
    (queue::DEAD_JOBS, queue::dead_jobs),
    (queue::FAILING_JOBS, queue::failing_jobs),
    (queue::HUNG_JOBS, queue::hung_jobs),
    (queue::UNKNOWN_JOBS, queue::unknown_jobs),
    (queue::WORKERS, queue::workers),
    (verification::VERIFICATION, verification::check),
];

/// Runs every check once. Each of them has a time limit, and none prevents another.
pub fn run_all(watched: &Watched) -> Vec<Finding> {
    let mut findings = Vec::new();
    match watched.source.connect() {
        Ok(mut connection) => {
            findings.push(database::reachable());
            findings.extend(DATABASE_CHECKS.iter().map(|check| run(check, &mut connection, watched)));
        }
        Err(unreachable) => {
            findings.push(*unreachable);
            let skipped = |(name, _): &DatabaseCheck| Finding::skipped(name, "the database is unreachable");
            findings.extend(DATABASE_CHECKS.iter().map(skipped));
        }
    }
    findings.extend(disk::check(watched.source.data_dir(), watched.limits.disk_limit));
    findings.push(disk_full::check(watched.source.data_dir(), watched.limits.crate_store.as_ref()));
    if let Some(file) = &watched.limits.tls_cert {
        findings.push(certificate::check(file, watched.limits.certificate_limit));
    }
    if let Some(remote) = &watched.remote {
        findings.push(index_remote::check(remote, &watched.source.data_dir().join("index.git")));
    }
    if let Some(url) = &watched.limits.url {
        findings.push(endpoint::check(&watched.http, url));
    }
    findings
}

fn run((name, check): &DatabaseCheck, connection: &mut PgConnection, watched: &Watched) -> Finding {
    check(connection, watched).unwrap_or_else(|error| {
        let reason = JobError::failed(error).to_string();
        Finding::new(name, Severity::Unknown, format!("cannot check {name}: {reason}")).with(json!({ "error": reason }))
    })
}
