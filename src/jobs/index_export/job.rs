//! The job that brings the copy in a bucket up to date.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::attempt::{Exporter, is_held};
use super::error::ExportError;
use super::plan::{self, Scope, Work};
use crate::jobs::environment::Environment;
use crate::queue::{Backoff, Duplicates, Job, JobError, Outcome, Perform, Policy, Run};

/// The queue of exports.
pub const EXPORT: &str = "index_export";

/// Shorter than [`HORIZON`](super::HORIZON): what an attempt writes that has lost its lock is looked at again. The first
/// export of a large index may take several attempts, any other takes seconds.
pub const LIMIT: Duration = Duration::from_secs(15 * 60);

/// The part of the time limit that is reserved for recording what was written, or a quarter of it if that is less.
const RESERVE: Duration = Duration::from_secs(30);

/// The index has changed, or what was exported is to be looked at again.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ExportIndex {
    /// The key of the destination.
    pub destination: String,
}

impl Job for ExportIndex {
    const KIND: &'static str = "export_index";
    const POLICY: Policy = Policy {
        time_limit: LIMIT,
        backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(60) },
        duplicates: Duplicates::WakeTwin,
        ..Policy::in_queue(EXPORT)
    };

    fn key(&self) -> Option<String> {
        Some(self.destination.clone())
    }
}

impl Perform<Environment> for ExportIndex {
    fn perform(self, environment: &Environment, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        let Some(destination) = environment.index_export.as_ref().filter(|one| one.key() == self.destination) else {
            tracing::warn!(
                destination = self.destination,
                "this process has another --index-export, or none: set the same one for all processes that run jobs"
            );
            return Ok(said(format!("{} is not the destination of this process", self.destination)));
        };
        let index = &environment.index;
        let begun = run.with_connection(|connection| plan::begin(connection, index, destination, Scope::Changes));
        let Some(mut begun) = begun.map_err(failed)? else {
            return Ok(said("up to date, or another process exports".to_owned()));
        };
        let reserve = RESERVE.min(run.time_left() / 4);
        let until = run.deadline().checked_sub(reserve).unwrap_or_else(Instant::now);
        let exporter = Exporter { index, destination, until, progress: &() };
        let mut done = exporter.carry_out(&begun, &mut || run.with_connection(is_held));
        if let Err(ExportError::Superseded { theirs, .. }) = done {
            run.with_connection(|connection| exporter.raise(connection, &mut begun, theirs)).map_err(failed)?;
            done = exporter.carry_out(&begun, &mut || run.with_connection(is_held));
        }
        let done = done.map_err(failed)?;
        run.with_connection(|connection| exporter.record(connection, &begun, &done)).map_err(failed)?;
        if done.owes {
            return Ok(said("files of the last minutes are wrong: the next attempt writes them".to_owned()));
        }
        let what = match begun.work {
            Work::Changes { ref again, .. } if !again.is_empty() => {
                format!("changed files, and {} of the last minutes again", again.len())
            }
            Work::Changes { .. } => "changed files".to_owned(),
            Work::Everything | Work::Rewrite => "all files".to_owned(),
        };
        let (written, removed) = (done.written, done.removed);
        Ok(said(format!("{}: {what}: {written} written, {removed} removed", begun.commit)))
    }
}

fn said(detail: String) -> Outcome {
    Outcome { detail: Some(detail) }
}

/// Whatever fails concerns every export, and is tried again until it succeeds.
fn failed(error: ExportError) -> JobError {
    match error {
        ExportError::Database(_) | ExportError::Fault(_) => JobError::failed(error),
        error => JobError::outage(error),
    }
}
