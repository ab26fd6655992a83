//! Repairs of the index: rendering of its files, and the update of a mirror.

use std::collections::BTreeMap;
use std::time::Duration;

use super::outcome::Outcome;
use super::repairs::Repairs;
use crate::index::{Change, IndexError};
use crate::jobs::sync_crate;
use crate::queue::JobId;
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;

/// How long another process may hold the mirror's write lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// Requests the job that renders a crate's file from its rows. `rendered` holds the jobs requested so far, by path.
pub fn render(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    difference: &Difference,
    rendered: &mut BTreeMap<String, JobId>,
) -> Result<Outcome, VerifyError> {
    let Some(path) = &difference.path else {
        return Ok(Outcome::Left("the index file of this difference is not known".to_owned()));
    };
    // A job for such a path could not succeed, and would fail together with others of its batch.
    let change = Change { path: path.clone(), content: None, message: String::new() };
    if let Err(IndexError::InvalidPath { reason, .. }) = change.check_path() {
        return Ok(Outcome::Left(format!(
            "no job can write this path ({reason}): remove the file with git, in the index's repository"
        )));
    }
    let job = match rendered.get(path) {
        Some(job) => *job,
        None => *rendered.entry(path.clone()).or_insert(request(context, repairs, path)?),
    };
    let mut done = "rendered from the database".to_owned();
    if matches!(
        difference.kind,
        Kind::UnexpectedFile | Kind::UnreadableIndexFile | Kind::LineDiffers | Kind::DuplicateLine
    ) && let Some(head) = context.index.head()?.commit
    {
        done = format!("{done}; the old content is in the history, at commit {head}");
    }
    Ok(Outcome::Requested(job, done))
}

/// Requests the job that renders the file at `path`.
pub fn request(context: &Context<'_>, repairs: &Repairs<'_>, path: &str) -> Result<JobId, VerifyError> {
    Ok(context.pool.with(|connection| sync_crate::request(connection, path, &repairs.actor.name))??)
}

/// Updates the mirror from its remote.
pub fn follow_remote(context: &Context<'_>) -> Outcome {
    let index = context.index;
    let Some(remote) = index.remote() else {
        return Outcome::Left("the remote is not known: pass --index-remote".to_owned());
    };
    match index.lock_writer_within(LOCK_PATIENCE).and_then(|writer| writer.catch_up(remote)) {
        Ok(_) => Outcome::Done("fetched from the remote".to_owned()),
        Err(error) => Outcome::Left(error.to_string()),
    }
}
