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

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diesel::PgConnection;

use super::commit_message::commit_message;
use super::{Environment, Wish, maintain_index, remove_crate_file, sync_remote};
use crate::database::versions::{Shown, WantedLine};
use crate::database::{catalog, crates, versions};
use crate::fault;
use crate::index::entry::{EntryError, render};
use crate::index::path::index_path;
use crate::index::shown::shown_versions;
use crate::index::{Change, Head, Index, IndexError, Writer};
use crate::package::CrateName;
use crate::queue::{Batch, JobError, Outcome, Run};

/// The queue of everything that writes the index.
pub const QUEUE: &str = "index";

/// How often a batch starts over because somebody else moved the head.
pub(super) const TRIES: usize = 5;

/// The work that the jobs of the index share.
pub struct SyncIndex;

impl Batch<Environment> for SyncIndex {
    type Member = Wish;
    const SIZE: usize = 100;

    fn perform(
        environment: &Environment,
        wishes: Vec<Wish>,
        run: &mut Run<'_>,
    ) -> Result<Vec<Result<Outcome, JobError>>, JobError> {
        let crate_ids: Vec<i32> =
            wishes.iter().map(|wish| wish.crate_id).collect::<BTreeSet<_>>().into_iter().collect();
        let index = &environment.index;
        let written = match index.remote() {
            Some(remote) => sync_remote::write_and_note(index, remote, &crate_ids, run)?,
            None => {
                let writer = index.lock_writer().map_err(index_failed)?;
                let written = write_index(index, &writer, &crate_ids, run)?;
                run.with_connection(|connection| note_what_is_shown(connection, index, &written))?;
                written
            }
        };
        fault::point("job.effective_noted")?;
        // Mirrors are maintained by whoever lets them follow: this job may be taken by another machine.
        if index.remote().is_none() {
            run.with_connection(|connection| maintain_index::enqueue_if_needed(connection, index))?;
        }
        Ok(wishes.into_iter().map(|wish| verdict(&wish, &written)).collect())
    }
}

/// What became of the crates of a batch.
pub(super) struct Written {
    pub crates: BTreeMap<i32, CrateWritten>,
}

pub(super) struct CrateWritten {
    name: CrateName,
    lines: Vec<WantedLine>,
    /// The commit that changed the crate's file, None if it was as wanted; or why it was not written.
    pub outcome: Result<Option<String>, Unwritten>,
}

/// Why a crate's file alone was not written: it can't be rendered, or the remote refuses it.
pub(super) struct Unwritten {
    pub text: String,
    /// Nothing else was taken either, so it may not be this crate's fault.
    pub is_shared: bool,
}

fn write_index(index: &Index, writer: &Writer, crate_ids: &[i32], run: &mut Run<'_>) -> Result<Written, JobError> {
    let mut tries = 0;
    loop {
        let head = index.head().map_err(index_failed)?;
        fault::point("job.head_read")?;
        let lines = run.with_connection(|connection| versions::wanted_lines(connection, crate_ids))?;
        fault::point("job.wanted_read")?;
        let (mut written, changes) = render_crates(index, &head, lines)?;
        let (ids, changes): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        match writer.commit(&head, &changes) {
            Ok(committed) => {
                for (id, commit) in ids.into_iter().zip(committed.commits) {
                    if let Some(krate) = written.crates.get_mut(&id) {
                        krate.outcome = Ok(commit.map(|commit| commit.to_string()));
                    }
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

pub(super) fn render_crates(
    index: &Index,
    head: &Head,
    lines: Vec<WantedLine>,
) -> Result<(Written, Vec<(i32, Change)>), JobError> {
    let mut crates: BTreeMap<i32, CrateWritten> = BTreeMap::new();
    for line in lines {
        let fresh = || CrateWritten { name: line.crate_name.clone(), lines: Vec::new(), outcome: Ok(None) };
        crates.entry(line.crate_id).or_insert_with(fresh).lines.push(line);
    }
    let mut changes = Vec::new();
    for (&id, krate) in &mut crates {
        match render_crate(krate) {
            Ok(content) => {
                let path = index_path(&krate.name);
                let before = index.read(head, &path).map_err(index_failed)?;
                let message =
                    commit_message(&krate.name, before.as_ref().map(|file| &file.content[..]), content.as_bytes());
                // Cargo takes an empty file for a crate without versions, and asks for it again and again.
                let content = (!content.is_empty()).then(|| content.into_bytes());
                changes.push((id, Change { path, content, message }));
            }
            // Left out, so that it fails alone.
            Err(error) => krate.outcome = Err(Unwritten { text: JobError::from(error).to_string(), is_shared: false }),
        }
    }
    Ok((Written { crates }, changes))
}

fn render_crate(krate: &CrateWritten) -> Result<String, EntryError> {
    let wanted = krate.lines.iter().filter(|line| !line.deleted);
    render(wanted.map(|line| (line.index_line.as_str(), line.yanked)))
}

pub(super) fn note_what_is_shown(
    connection: &mut PgConnection,
    index: &Index,
    written: &Written,
) -> Result<(), JobError> {
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
    if versions::note_shown(connection, &shown)? > 0 || !deleted.is_empty() {
        for id in ids {
            catalog::describe(connection, id)?;
        }
    }
    Ok(())
}

fn verdict(wish: &Wish, written: &Written) -> Result<Outcome, JobError> {
    match written.crates.get(&wish.crate_id).map(|krate| &krate.outcome) {
        Some(Ok(commit)) => Ok(Outcome { detail: commit.clone() }),
        Some(Err(unwritten)) if unwritten.is_shared => Err(JobError::shared(unwritten.text.clone())),
        Some(Err(unwritten)) => Err(JobError::own(unwritten.text.clone())),
        None => Err(JobError::own(format!("the crate {} has no versions in the database any more", wish.name))),
    }
}

pub(super) fn index_failed(error: IndexError) -> JobError {
    if error.is_shared() { JobError::shared(error) } else { JobError::own(error) }
}
