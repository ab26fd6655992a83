//! The checks, and a round of all of them.

mod certificate;
mod database;
mod endpoint;
mod index_remote;
mod watched;

use crate::checks::finding::Finding;
use crate::checks::{self, disk, disk_full};

pub use watched::Watched;

/// Runs every check once. Each of them has a time limit, and none prevents another.
pub fn run_all(watched: &Watched) -> Vec<Finding> {
    let mut findings = Vec::new();
    match watched.source.connect() {
        Ok(mut connection) => {
            findings.push(database::reachable());
            findings.extend(checks::of_database(&mut connection, &watched.judged()));
        }
        Err(unreachable) => {
            findings.push(*unreachable);
            findings.extend(checks::without_database("the database is unreachable"));
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
