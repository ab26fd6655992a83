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
//! Step 4 commits together with the deletion of the jobs' rows, which is the runner's part. Killed anywhere before, the
//! batch runs again, finds the index as wanted, and does the rest.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diesel::{Connection, PgConnection, QueryResult};

use super::commit_message::commit_message;
use super::{Environment, Wish, maintain_index, remove_crate_file};
use crate::database::versions::{Shown, WantedLine};
use crate::database::{catalog, crates, versions};
use crate::fault;
use crate::index::entry::{EntryError, render};
use crate::index::path::{crate_path, index_path};
use crate::index::shown::shown_versions;
use crate::index::{Change, Head, Index, IndexError, Writer};
use crate::package::CrateName;
use crate::queue::{Batch, JobError, Outcome, Run};

/// The queue of everything that writes the index.
pub const QUEUE: &str = "index";

/// How often a batch starts over because somebody else moved the head.
const TRIES: usize = 5;

/// The work that the jobs of the index share.
pub struct SyncIndex;

/// What a job of the index is about.
pub enum Subject {
    /// A version of which something was wanted.
    Wish(Wish),
    /// A file of the index, whose crate is looked up when the job runs. It is removed if no crate has it.
    File(String),
}

impl Batch<Environment> for SyncIndex {
    type Member = Subject;
    const SIZE: usize = 100;

    fn perform(
        environment: &Environment,
        subjects: Vec<Subject>,
        run: &mut Run<'_>,
    ) -> Result<Vec<Result<Outcome, JobError>>, JobError> {
        let writer = environment.index.lock_writer().map_err(index_failed)?;
        let mut wanted = || {
            run.with_connection(|connection| {
                let ids = crate_ids(connection, &subjects)?;
                versions::wanted_lines(connection, &ids)
            })
        };
        let written = write_index(&environment.index, &writer, &subjects, &mut wanted)?;
        run.with_connection(|connection| note_what_is_shown(connection, &environment.index, &written))?;
        fault::point("job.effective_noted")?;
        drop(writer);
        run.with_connection(|connection| maintain_index::enqueue_if_needed(connection, &environment.index))?;
        Ok(subjects.iter().map(|subject| verdict(subject, &written)).collect())
    }
}

/// The same for crates of a registry that nobody serves, without jobs. Answers how many of them were shown otherwise than
/// they are wanted.
pub fn agree(connection: &mut PgConnection, index: &Index, crate_ids: &[i32]) -> Result<usize, JobError> {
    let writer = index.lock_writer().map_err(index_failed)?;
    let written = write_index(index, &writer, &[], &mut || versions::wanted_lines(connection, crate_ids))?;
    let differed = written.crates.values().filter(|krate| !matches!(krate.outcome, Ok(None))).count();
    connection.transaction(|connection| note_what_is_shown(connection, index, &written))?;
    Ok(differed)
}

/// What became of the crates of a batch.
struct Written {
    crates: BTreeMap<i32, CrateWritten>,
    /// Files that were asked for by their paths and that no crate has, with the commits that removed them.
    removed: BTreeMap<String, Option<String>>,
}

struct CrateWritten {
    name: CrateName,
    lines: Vec<WantedLine>,
    /// The commit that changed the crate's file, None if it was as wanted; or why the file can't be rendered.
    outcome: Result<Option<String>, String>,
}

fn write_index(
    index: &Index,
    writer: &Writer,
    subjects: &[Subject],
    wanted: &mut dyn FnMut() -> QueryResult<Vec<WantedLine>>,
) -> Result<Written, JobError> {
    let mut tries = 0;
    loop {
        let head = index.head().map_err(index_failed)?;
        fault::point("job.head_read")?;
        let lines = wanted()?;
        fault::point("job.wanted_read")?;
        let (mut written, mut changes) = render_crates(index, &head, lines)?;
        changes.extend(removals(subjects, &written).map(|change| (None, change)));
        let (ids, changes): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        match writer.commit(&head, &changes) {
            Ok(committed) => {
                for ((id, change), commit) in ids.into_iter().zip(changes).zip(committed.commits) {
                    let commit = commit.map(|commit| commit.to_string());
                    match id.and_then(|id| written.crates.get_mut(&id)) {
                        Some(krate) => krate.outcome = Ok(commit),
                        None => drop(written.removed.insert(change.path, commit)),
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

/// The crates that the subjects are about, as far as there are any.
fn crate_ids(connection: &mut PgConnection, subjects: &[Subject]) -> QueryResult<Vec<i32>> {
    let mut ids = BTreeSet::new();
    for subject in subjects {
        match subject {
            Subject::Wish(wish) => drop(ids.insert(wish.crate_id)),
            Subject::File(path) => {
                let Some(name) = crate_path(path) else { continue };
                let found = crates::find(connection, &name)?.filter(|found| index_path(&found.name) == *path);
                ids.extend(found.map(|found| found.id));
            }
        }
    }
    Ok(ids.into_iter().collect())
}

/// What takes away files that were asked for by their paths and that no crate has.
fn removals<'a>(subjects: &'a [Subject], written: &Written) -> impl Iterator<Item = Change> + use<'a> {
    let rendered: BTreeSet<String> = written.crates.values().map(|krate| index_path(&krate.name)).collect();
    let paths: BTreeSet<&String> = subjects
        .iter()
        .filter_map(|subject| match subject {
            Subject::File(path) => Some(path),
            Subject::Wish(_) => None,
        })
        .filter(|path| !rendered.contains(*path))
        .collect();
    paths.into_iter().map(|path| Change {
        path: path.clone(),
        content: None,
        message: format!("Remove {path}, which no crate of the database has"),
    })
}

type Changes = Vec<(Option<i32>, Change)>;

fn render_crates(index: &Index, head: &Head, lines: Vec<WantedLine>) -> Result<(Written, Changes), JobError> {
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
                changes.push((Some(id), Change { path, content, message }));
            }
            // Left out, so that it fails alone.
            Err(error) => krate.outcome = Err(JobError::from(error).to_string()),
        }
    }
    Ok((Written { crates, removed: BTreeMap::new() }, changes))
}

fn render_crate(krate: &CrateWritten) -> Result<String, EntryError> {
    let wanted = krate.lines.iter().filter(|line| !line.deleted);
    render(wanted.map(|line| (line.index_line.as_str(), line.yanked)))
}

fn note_what_is_shown(connection: &mut PgConnection, index: &Index, written: &Written) -> Result<(), JobError> {
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

fn verdict(subject: &Subject, written: &Written) -> Result<Outcome, JobError> {
    let krate = match subject {
        Subject::Wish(wish) => written.crates.get(&wish.crate_id),
        Subject::File(path) => match written.removed.get(path) {
            Some(commit) => return Ok(Outcome { detail: commit.clone() }),
            None => written.crates.values().find(|krate| index_path(&krate.name) == *path),
        },
    };
    match (krate.map(|krate| &krate.outcome), subject) {
        (Some(Ok(commit)), _) => Ok(Outcome { detail: commit.clone() }),
        (Some(Err(error)), _) => Err(JobError::own(error.clone())),
        (None, Subject::Wish(Wish { name: about, .. })) => {
            Err(JobError::own(format!("the crate {about} has no versions in the database any more")))
        }
        (None, Subject::File(path)) => Err(JobError::own(format!("the file {path} was neither rendered nor removed"))),
    }
}

fn index_failed(error: IndexError) -> JobError {
    if error.is_shared() { JobError::shared(error) } else { JobError::own(error) }
}
