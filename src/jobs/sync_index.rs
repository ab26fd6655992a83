//! The batch that writes the desired state of crates to the index, and the effective state to the database.
//!
//! The order of the steps makes this safe against concurrent writers and against being killed:
//!
//! 1. read the index's head;
//! 2. read the desired rows, in one statement and therefore one snapshot. *After* the head: if the head is still the same
//!    when the ref is moved, no writer has written the index from newer rows in between;
//! 3. make each crate's desired file, one commit for each file that differs, and one compare-and-swap of the ref for all. If
//!    the head has moved, start over;
//! 4. lock the crates' rows, find out what the index shows *now*, and write that to the database. Another writer may
//!    have moved the index since step 3; the last one to take the lock reads the newest state, so the database cannot be
//!    left with an older one.
//!
//! A crate's desired file is a pure function of its rows, but not all of them are read. Step 4 notes which file has exactly
//! the effective state of the crate's rows, in the same transaction
//! ([`index_files`](crate::database::catalog::index_files)). Step 2 reads the note and the rows that are not as desired,
//! in one snapshot. If the noted file is the one at the head, it is the rendering of the effective state in that snapshot,
//! and the rendering of the desired state is this file with those rows applied (`edited_file`). The head was read before,
//! so the argument of step 2 holds as if all rows had been read. In step 4 the same rows are all that differs if, under
//! the lock, the note is still the one of step 2 and the index still has the file of step 3 (`effective`). If another
//! writer came in between, one of the two is another one, or both are as they were, and then so is the effective state.
//! Without a note, with another file at the head, after a deletion, and whenever a line is not what its row says, all rows
//! are read and the file is rendered from them, which is what a verification compares with. So it is always safe to
//! remove a note, and rows that change a line must.
//!
//! A release set is written as a whole: a batch that reads one of its versions adds its other crates (`desired`), and leaves
//! all of them as they are if one cannot be written (`written`).
//!
//! With a remote, where each machine has its own mirror, "now" is not enough; `sync_remote` has the steps for that.
//!
//! Step 4 commits together with the deletion of the jobs' rows, which the runner does. If the process is killed before, the
//! batch runs again, finds the index as desired, and does the rest.

use std::collections::BTreeSet;

use diesel::{Connection, PgConnection, QueryResult};

use super::desired::{self, Desired, Session};
use super::effective::{Disagreement, note_what_is_shown};
use super::environment::Environment;
use super::index_error::{TRIES, index_failed};
use super::subject::Subject;
use super::written::Rendered;
use super::written::Written;
use super::{describing, maintain_index, sync_remote};
use crate::database::catalog::{crates, descriptions};
use crate::fault;
use crate::index::{Index, IndexError, Writer};
use crate::queue::{Batch, JobError, Outcome, Run};
use crate::trace::STEP;

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
                let desired = |session: &mut Session<'_, '_>| desired::of_subjects(session, &subjects);
                let session = &mut Session::Job(run);
                let written = tracing::trace_span!(target: STEP, "write index")
                    .in_scope(|| write_index(index, &writer, &subjects, &desired, session))?;
                tracing::trace_span!(target: STEP, "note effective state")
                    .in_scope(|| run.with_connection(|connection| note_what_is_shown(connection, index, &written)))?;
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
    let whole = crate_ids.iter().copied().collect();
    let desired = |session: &mut Session<'_, '_>| desired::of_crates(session, BTreeSet::new(), &whole);
    let written = write_index(index, &writer, &[], &desired, &mut Session::Command(connection))?;
    let differed = written.crates.values().filter(|krate| matches!(krate.outcome, Ok(Some(_)))).count();
    let unwritten = written.crates.values().filter_map(|krate| {
        let problem = krate.outcome.as_ref().err()?.text.clone();
        Some(Disagreement { crate_name: krate.name.clone(), problem })
    });
    let mut failed: Vec<Disagreement> = unwritten.collect();
    connection.transaction(|connection| note_what_is_shown(connection, index, &written))?;
    for one in describing::run(connection, &|| false)? {
        let descriptions::Undescribed { crate_id, problem, .. } = one;
        let crate_name = crates::name_of(connection, crate_id)?;
        failed.push(Disagreement { crate_name, problem: format!("its description could not be written: {problem}") });
    }
    Ok(Agreement { differed, failed })
}

fn write_index(
    index: &Index,
    writer: &Writer,
    subjects: &[Subject],
    desired: &dyn Fn(&mut Session<'_, '_>) -> QueryResult<Desired>,
    session: &mut Session<'_, '_>,
) -> Result<Written, JobError> {
    let mut tries = 0;
    loop {
        let head = index.head().map_err(index_failed)?;
        fault::point("job.head_read")?;
        let desired = desired(session)?;
        fault::point("job.desired_read")?;
        let Rendered::Whole(mut written, changes) = Written::render(index, &head, desired, session, subjects)? else {
            continue;
        };
        match writer.commit(&head, &changes) {
            Ok(committed) => {
                written.head = committed.head;
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
