//! The batch that writes the desired state of crates to the index, and the effective state to the database.
//!
//! The order of the steps makes this safe against concurrent writers and against being killed:
//!
//! 1. read the index's head;
//! 2. read the desired rows, in one statement and therefore one snapshot. *After* the head: if the head is still the same
//!    when the ref is moved, no writer has written the index from newer rows in between;
//! 3. render each crate's file from its rows alone, one commit for each file that differs, and one compare-and-swap of
//!    the ref for all. If the head has moved, start over;
//! 4. lock the crates' rows, read from the index what it shows *now*, and write that to the database. Another writer may
//!    have moved the index since step 3; the last one to take the lock reads the newest state, so the database cannot be
//!    left with an older one.
//!
//! With a remote, where each machine has its own mirror, "now" is not enough; `sync_remote` has the steps for that.
//!
//! Step 4 commits together with the deletion of the jobs' rows, which the runner does. If the process is killed before, the
//! batch runs again, finds the index as desired, and does the rest.

use diesel::{Connection, PgConnection, QueryResult};

use super::effective::{Disagreement, log_undescribed, note_what_is_shown};
use super::environment::Environment;
use super::index_error::{TRIES, index_failed};
use super::subject::{self, Subject};
use super::written::Written;
use super::{maintain_index, sync_remote};
use crate::database::catalog::versions::DesiredLine;
use crate::database::catalog::{crates, versions};
use crate::fault;
use crate::index::{Index, IndexError, Writer};
use crate::queue::{Batch, JobError, Outcome, Run};

/// The batch of all jobs that write the index.
pub struct SyncIndex;

impl Batch<Environment> for SyncIndex {
    type Member = Subject;
    const SIZE: usize = 100;

    fn perform(
        environment: &Environment,
        subjects: Vec<Subject>,
        run: &mut Run<'_>,
    ) -> Result<Vec<Result<Outcome, JobError>>, JobError> {
        let index = &environment.index;
        let written = match index.remote() {
            Some(remote) => sync_remote::write_and_note(index, remote, &subjects, run)?,
            None => {
                let writer = index.lock_writer().map_err(index_failed)?;
                let mut desired = || run.with_connection(|connection| subject::desired_lines(connection, &subjects));
                let written = write_index(index, &writer, &subjects, &mut desired)?;
                let undescribed = run.with_connection(|connection| note_what_is_shown(connection, index, &written))?;
                log_undescribed(&undescribed);
                written
            }
        };
        fault::point("job.effective_noted")?;
        // The follower maintains a mirror: the maintenance job may run on another machine.
        if index.remote().is_none() {
            run.with_connection(|connection| maintain_index::enqueue_if_needed(connection, index))?;
        }
        Ok(subjects.iter().map(|subject| written.verdict(subject)).collect())
    }
}

/// The result of [`agree`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Number of crates whose index file was not as desired.
    pub differed: usize,
    /// The crates that still differ.
    pub failed: Vec<Disagreement>,
}

/// Does the work of the batch without jobs, for crates of a registry that is not being served. If all crates together fail,
/// each is tried alone, so that one crate cannot keep the others from being restored.
///
/// # Errors
///
/// An outage: the repository cannot be written, or the database cannot be reached.
pub fn agree(connection: &mut PgConnection, index: &Index, crate_ids: &[i32]) -> Result<Agreement, JobError> {
    let together = match agree_together(connection, index, crate_ids) {
        Err(error) if !error.is_outage() => error,
        done => return done,
    };
    tracing::warn!(error = %together, "the index of several crates could not be written together; trying each alone");
    let mut agreement = Agreement::default();
    for &crate_id in crate_ids {
        match agree_together(connection, index, &[crate_id]) {
            Ok(alone) => {
                agreement.differed += alone.differed;
                agreement.failed.extend(alone.failed);
            }
            Err(error) if error.is_outage() => return Err(error),
            Err(error) => {
                let crate_name = crates::name_of(connection, crate_id)?;
                agreement.failed.push(Disagreement { crate_name, problem: error.to_string() });
            }
        }
    }
    Ok(agreement)
}

fn agree_together(connection: &mut PgConnection, index: &Index, crate_ids: &[i32]) -> Result<Agreement, JobError> {
    let writer = index.lock_writer().map_err(index_failed)?;
    let written = write_index(index, &writer, &[], &mut || versions::desired_lines(connection, crate_ids))?;
    let differed = written.crates.values().filter(|krate| matches!(krate.outcome, Ok(Some(_)))).count();
    let unwritten = written.crates.values().filter_map(|krate| {
        let problem = krate.outcome.as_ref().err()?.text.clone();
        Some(Disagreement { crate_name: krate.name.clone(), problem })
    });
    let mut failed: Vec<Disagreement> = unwritten.collect();
    failed.extend(connection.transaction(|connection| note_what_is_shown(connection, index, &written))?);
    Ok(Agreement { differed, failed })
}

fn write_index(
    index: &Index,
    writer: &Writer,
    subjects: &[Subject],
    desired: &mut dyn FnMut() -> QueryResult<Vec<DesiredLine>>,
) -> Result<Written, JobError> {
    let mut tries = 0;
    loop {
        let head = index.head().map_err(index_failed)?;
        fault::point("job.head_read")?;
        let lines = desired()?;
        fault::point("job.desired_read")?;
        let (mut written, changes) = Written::render(index, &head, lines, subjects)?;
        match writer.commit(&head, &changes) {
            Ok(committed) => {
                for (change, commit) in changes.iter().zip(committed.commits) {
                    written.note(&change.path, Ok(commit.map(|commit| commit.to_string())));
                }
                return Ok(written);
            }
            Err(IndexError::HeadMoved { .. }) if tries < TRIES => tries += 1,
            // This process holds the writer's lock, so the branch's lock was left behind by a writer that was killed.
            Err(IndexError::BranchLocked { path, .. }) if tries < TRIES => {
                tries += 1;
                writer.clean_leftovers().map_err(index_failed)?;
                tracing::warn!(path = %path.display(), "removed the lock that a killed writer left in the index");
            }
            Err(error) => return Err(index_failed(error)),
        }
    }
}
