//! Makes the index show what is wanted of a batch of crates, and the database say what the index shows.
//!
//! The order of the steps is what makes this safe against everything that may run beside it or kill it:
//!
//! 1. read the index's head;
//! 2. read the wanted rows, in one statement and therefore one snapshot. *After* the head: if the head is still the same
//!    when the ref is moved, nobody wrote the index from newer rows in between;
//! 3. render each crate's file from its rows alone, one commit for each file that differs, and one compare-and-swap of
//!    the ref for all. If the head moved, start over;
//! 4. lock the crates' rows and read from the index what it shows *now*; write that into the database. Another writer may
//!    have moved the index since step 3; whoever takes the lock last reads the newest state, so the database can't be
//!    left with an older one.
//!
//! With a remote, where each machine has a mirror of its own, "now" is not enough; `sync_remote` has those steps.
//!
//! Step 4 commits together with the deletion of the jobs' rows, which is the runner's part. Killed anywhere before, the
//! batch runs again, finds the index as wanted, and does the rest.

use std::collections::HashMap;

use diesel::{Connection, PgConnection, QueryResult};
use serde::Serialize;

use super::subject::{self, Subject};
use super::written::Written;
use super::{Environment, maintain_index, remove_crate_file, sync_remote};
use crate::database::catalog::derived::Undescribed;
use crate::database::catalog::versions::{DesiredLine, Shown};
use crate::database::catalog::{crates, derived, versions};
use crate::fault;
use crate::index::shown::shown_versions;
use crate::index::{Index, IndexError, Writer};
use crate::package::CrateName;
use crate::package::index_path::index_path;
use crate::queue::{Batch, JobError, Outcome, Run};

/// The queue of everything that writes the index.
pub const QUEUE: &str = "index";

/// How often a batch starts over because somebody else moved the head.
pub(super) const TRIES: usize = 5;

/// The work that the jobs of the index share.
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
                let mut wanted = || run.with_connection(|connection| subject::desired_lines(connection, &subjects));
                let written = write_index(index, &writer, &subjects, &mut wanted)?;
                let undescribed = run.with_connection(|connection| note_what_is_shown(connection, index, &written))?;
                log_undescribed(&undescribed);
                written
            }
        };
        fault::point("job.effective_noted")?;
        // Mirrors are maintained by whoever lets them follow: this job may be taken by another machine.
        if index.remote().is_none() {
            run.with_connection(|connection| maintain_index::enqueue_if_needed(connection, index))?;
        }
        Ok(subjects.iter().map(|subject| written.verdict(subject)).collect())
    }
}

/// What became of crates that were to agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// How many of them the index showed otherwise than they are wanted.
    pub differed: usize,
    /// Those that do not agree.
    pub failed: Vec<Disagreement>,
}

/// A crate that could not be brought into agreement, or not completely.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    #[serde(rename = "crate")]
    pub crate_name: CrateName,
    pub problem: String,
}

/// The same for crates of a registry that nobody serves, without jobs. If all of them together fail, each is done alone, so
/// that one crate cannot keep the others from being restored.
///
/// # Errors
///
/// What is no fault of a crate: the repository cannot be written, or the database is away.
pub fn agree(connection: &mut PgConnection, index: &Index, crate_ids: &[i32]) -> Result<Agreement, JobError> {
    let together = match agree_together(connection, index, crate_ids) {
        Err(error) if !error.is_outage() => error,
        done => return done,
    };
    tracing::warn!(error = %together, "crates could not be brought into agreement together; each is tried alone");
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

/// A crate that is shown without its description needs somebody to look at it.
pub(super) fn log_undescribed(undescribed: &[Disagreement]) {
    for Disagreement { crate_name, problem } in undescribed {
        tracing::error!(
            name = %crate_name, error = problem,
            "a crate is published, but its description could not be written: run `supercargo verify --repair`"
        );
    }
}

fn write_index(
    index: &Index,
    writer: &Writer,
    subjects: &[Subject],
    wanted: &mut dyn FnMut() -> QueryResult<Vec<DesiredLine>>,
) -> Result<Written, JobError> {
    let mut tries = 0;
    loop {
        let head = index.head().map_err(index_failed)?;
        fault::point("job.head_read")?;
        let lines = wanted()?;
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
            // Whoever holds the writer's lock meets no other writer of this program: this is what a killed one left.
            Err(IndexError::BranchLocked { path, .. }) if tries < TRIES => {
                tries += 1;
                writer.clean_leftovers().map_err(index_failed)?;
                tracing::warn!(path = %path.display(), "removed the lock that a killed writer left in the index");
            }
            Err(error) => return Err(index_failed(error)),
        }
    }
}

/// Writes into the database what the index shows now of these crates. Answers those whose description the database refused.
pub(super) fn note_what_is_shown(
    connection: &mut PgConnection,
    index: &Index,
    written: &Written,
) -> Result<Vec<Disagreement>, JobError> {
    let good = || written.crates.iter().filter(|(_, krate)| krate.outcome.is_ok());
    let ids: Vec<i32> = good().map(|(&id, _)| id).collect();
    crates::lock_all(connection, &ids)?;
    let head = index.head().map_err(index_failed)?;
    let head_commit = head.commit.map(|commit| commit.to_string()).unwrap_or_default();
    let (mut shown, mut gone) = (Vec::new(), Vec::new());
    for (_, krate) in good() {
        let file = index.read(&head, &index_path(&krate.name)).map_err(index_failed)?;
        let in_index: HashMap<String, bool> = shown_versions(file.as_ref().map_or(&[], |file| &file.content[..]))?
            .into_iter()
            .map(|one| (one.vers, one.yanked))
            .collect();
        let commit_id = krate.outcome.as_ref().ok().and_then(Option::as_deref).unwrap_or(&head_commit);
        for line in &krate.lines {
            match in_index.get(&line.num.to_string()) {
                Some(&yanked) => shown.push(Shown { version_id: line.version_id, yanked, commit_id }),
                None if line.deleted => gone.push(line.version_id),
                None => {}
            }
        }
    }
    fault::point("job.crates_locked")?;
    let deleted = versions::note_deleted(connection, &gone)?;
    remove_crate_file::enqueue(connection, &deleted)?;
    if versions::note_shown(connection, &shown)? == 0 && deleted.is_empty() {
        return Ok(Vec::new());
    }
    let undescribed = derived::describe_all(connection, &ids)?;
    let disagreement = |one: Undescribed| {
        let crate_name = written.crates.get(&one.crate_id)?.name.clone();
        Some(Disagreement { crate_name, problem: format!("its description could not be written: {}", one.problem) })
    };
    Ok(undescribed.into_iter().filter_map(disagreement).collect())
}

pub(super) fn index_failed(error: IndexError) -> JobError {
    if error.is_outage() { JobError::outage(error) } else { JobError::failed(error) }
}
