//! All checks, made once.

use diesel::PgConnection;
use serde_json::json;

use super::database_check::Source;
use super::finding::{Finding, Severity};
use super::http::Http;
use super::{
    CHECK_TIMEOUT, MonitorError, certificate, database_check, disk, endpoint, index_remote, queue_checks, verification,
};
use crate::config::{LimitOptions, MonitorOptions};
use crate::error_chain::ErrorChain;
use crate::index::Remote;
use crate::jobs;
use crate::queue::Registry;

/// What is looked at, and its limits.
pub struct Watched {
    source: Source,
    limits: LimitOptions,
    http: Http,
    /// Where the index is, if it is not here alone.
    remote: Option<Remote>,
    pub(super) registry: Registry<jobs::Environment>,
}

/// A check that asks the database. Its first value is its name, for when the database is away.
type OnTheDatabase = (&'static str, fn(&mut PgConnection, &Watched) -> diesel::QueryResult<Finding>);

/// Every check that asks the database. What else the registry notes of itself in a table is looked at by one more line here.
const ON_THE_DATABASE: [OnTheDatabase; 7] = [
    (queue_checks::OLDEST_JOB, queue_checks::oldest_job),
    (queue_checks::DEAD_JOBS, queue_checks::dead_jobs),
    (queue_checks::FAILING_JOBS, queue_checks::failing_jobs),
    (queue_checks::HUNG_JOBS, queue_checks::hung_jobs),
    (queue_checks::UNKNOWN_JOBS, queue_checks::unknown_jobs),
    (queue_checks::WORKERS, queue_checks::workers),
    (verification::VERIFICATION, verification::look),
];

impl Watched {
    pub fn new(options: &MonitorOptions, http: Http, remote: Option<Remote>) -> Result<Self, MonitorError> {
        Ok(Self {
            source: Source::of(&options.storage, CHECK_TIMEOUT)?,
            limits: options.limits.clone(),
            http,
            remote,
            registry: jobs::registry()?,
        })
    }

    pub(super) fn limits(&self) -> &LimitOptions {
        &self.limits
    }

    /// Makes every check. None of them lasts much longer than the time limit, and none is left out because of another.
    pub fn look(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        match self.source.connect() {
            Ok(mut connection) => {
                findings.push(database_check::reachable());
                let asked = ON_THE_DATABASE.iter().map(|(name, check)| {
                    check(&mut connection, self).unwrap_or_else(|error| {
                        let reason = ErrorChain::of(&error).to_string();
                        Finding::new(name, Severity::Unknown, format!("{name} can't be looked at: {reason}"))
                            .with(json!({ "error": reason }))
                    })
                });
                findings.extend(asked);
            }
            Err(away) => {
                findings.push(*away);
                let skipped = |(name, _): &OnTheDatabase| Finding::skipped(name, "the database is away");
                findings.extend(ON_THE_DATABASE.iter().map(skipped));
            }
        }
        findings.extend(disk::look(self.source.data_dir(), self.limits.disk_limit));
        if let Some(file) = &self.limits.tls_cert {
            findings.push(certificate::look(file, self.limits.certificate_limit));
        }
        if let Some(remote) = &self.remote {
            findings.push(index_remote::look(remote, &self.source.data_dir().join("index.git")));
        }
        if let Some(url) = &self.limits.url {
            findings.push(endpoint::look(&self.http, url));
        }
        findings
    }
}
