//! The steps of [`sync_index`](super::sync_index) when the index is at a remote.
//!
//! Without a remote all writers of an installation read one repository, and the last one to lock the crates reads its newest
//! state. With a remote, each machine has a mirror, and a mirror may be behind: A pushes commit 1; B fetches it, pushes
//! commit 2 and notes what that shows; then A, which was slow, notes what commit 1 shows. The database would keep that older
//! state.
//!
//! So each note carries a *fence*, the number in the only row of `index_state`. A batch
//!
//! 1. reads the fence, and only then the head and the desired rows;
//! 2. renders, and pushes what differs. A push is fast-forward: if it lands, its base was the remote's head. If nothing
//!    differed, there is no such proof, and the head is read from the remote ([`Writer::confirm`]);
//! 3. locks the row. If the fence is unchanged, no batch has noted anything since it was read, so the state that the batch
//!    is about to note, which the remote had after that reading, is the newest one. The batch raises the fence and notes the
//!    state, in the commit that ends its jobs. If the fence has moved, the batch starts over and keeps the lock, so that it
//!    cannot lose again.
//!
//! Why that is enough: take two batches that note states s1 and s2 of the remote, s1 older than s2. If s1 is noted last,
//! its lock came after the commit of s2's note, and its fence was read before s1 was the remote's state, hence before
//! s2's note: it reads another number, and starts over from a head that is s2 or newer.
//!
//! The note of a crate's file, from which the next one is edited, changes with the effective state and so under the fence,
//! too. A mirror that is behind does not have the noted file at its head: there the files are rendered from all rows, as
//! they are wherever the two differ.
//!
//! A push whose result is unknown may land at any later time, as long as the remote's head is unchanged. The next commit
//! makes that impossible. If the next batch has nothing to commit, because the change was undone meanwhile, it commits
//! an empty change ([`Writer::confirm`] with `settle`). It always does so after a batch of another process, whose pushes are
//! unknown.
//!
//! A remote that refuses a push refuses all of it, although perhaps because of one file. So a refused batch is halved until
//! the refused files are alone, or the files of a release set, which are never separated; their jobs fail, and the others
//! continue. If everything is refused, the cause is the remote,
//! and it counts as an outage.

use std::time::{Duration, Instant};

use super::desired::{self, Session};
use super::effective::note_what_is_shown;
use super::index_error::{TRIES, index_failed};
use super::subject::Subject;
use super::written::{Rendered, Unwritten, Written};
use crate::database::upkeep::index_state::{self, IndexState};
use crate::fault;
use crate::index::{Change, Head, Index, IndexError, Oid, Remote, Writer};
use crate::queue::{JobError, Run};
use crate::trace::STEP;

/// The part of a batch's time limit that is reserved for noting what was pushed, or a quarter of the limit if that is less.
const RESERVE: Duration = Duration::from_secs(5);

/// How long to wait for the mirror's write lock. Another process may be fetching.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// After so many refusals and no push that lands, the remote refuses everything. More than are needed to halve the largest
/// batch down to one file.
const REFUSALS: usize = 9;

/// Writes the desired state to the remote and the mirror, and the effective state to the database.
pub(super) fn write_and_note(
    index: &Index,
    remote: &Remote,
    subjects: &[Subject],
    run: &mut Run<'_>,
) -> Result<Written, JobError> {
    let reserve = RESERVE.min(run.time_left() / 4);
    let until = run.deadline().checked_sub(reserve).unwrap_or_else(Instant::now);
    let writer = index.lock_writer_within(LOCK_PATIENCE.min(run.time_left())).map_err(index_failed)?;
    let mut last = None;
    for _ in 0..=TRIES {
        let step = tracing::trace_span!(target: STEP, "write index");
        match step.in_scope(|| attempt(&writer, remote, subjects, until, run))? {
            Attempt::Noted(written) => return Ok(written),
            Attempt::Moved(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| JobError::outage("the index moved each time it was written"), index_failed))
}

enum Attempt {
    Noted(Written),
    /// Another writer was faster.
    Moved(IndexError),
}

fn attempt(
    writer: &Writer,
    remote: &Remote,
    subjects: &[Subject],
    until: Instant,
    run: &mut Run<'_>,
) -> Result<Attempt, JobError> {
    let index = writer.index();
    let state = run.with_connection(index_state::read)?;
    if remote.is_unsure() || !has_noted(index, &state).map_err(index_failed)? {
        writer.catch_up_before(remote, until).map_err(index_failed)?;
    }
    let head = index.head().map_err(index_failed)?;
    fault::point("job.head_read")?;
    let session = &mut Session::Job(run);
    let desired = desired::of_subjects(session, subjects)?;
    fault::point("job.desired_read")?;
    let Rendered::Whole(mut written, changes) = Written::render(index, &head, desired, session, subjects)? else {
        return Ok(Attempt::Moved(IndexError::HeadMoved { expected: head.commit, found: head.commit }));
    };
    let changes = written.together(changes);
    let mut landing = Landing { writer, until, head, refusals: 0, landed: false };
    let mut outcomes = Vec::new();
    match landing.land(&changes, &mut |path, outcome| outcomes.push((path.to_owned(), outcome))) {
        Ok(()) => {}
        Err(moved @ IndexError::HeadMoved { .. }) => return Ok(Attempt::Moved(moved)),
        Err(IndexError::BranchLocked { path, .. }) => {
            writer.clean_leftovers().map_err(index_failed)?;
            tracing::warn!(path = %path.display(), "removed the lock that a killed writer left in the index");
            let found = index.head().map_err(index_failed)?.commit;
            return Ok(Attempt::Moved(IndexError::HeadMoved { expected: head.commit, found }));
        }
        Err(error) => return Err(index_failed(error)),
    }
    for (path, outcome) in outcomes {
        written.note(&path, outcome.map_err(|text| Unwritten { text, is_outage: !landing.landed }));
    }
    if !landing.landed {
        let settle = remote.is_unsettled() || state.writer.as_deref() != Some(remote.writer());
        match writer.confirm(remote, &landing.head, settle, until) {
            Ok(()) => {}
            Err(moved @ IndexError::HeadMoved { .. }) => return Ok(Attempt::Moved(moved)),
            Err(error) => return Err(index_failed(error)),
        }
    }
    written.head = landing.head;
    fault::point("job.remote_written")?;
    let now = run.with_connection(index_state::lock).map_err(JobError::outage)?;
    let head = index.head().map_err(index_failed)?;
    if now != state.fence {
        return Ok(Attempt::Moved(IndexError::HeadMoved { expected: landing.head.commit, found: head.commit }));
    }
    run.with_connection(|connection| {
        note_what_is_shown(connection, index, &written)?;
        let commit = head.commit.map(|commit| commit.to_string()).unwrap_or_default();
        index_state::note(connection, &commit, remote.writer())?;
        Ok::<_, JobError>(())
    })?;
    Ok(Attempt::Noted(written))
}

/// Whether the mirror has the commit that was noted last.
fn has_noted(index: &Index, state: &IndexState) -> Result<bool, IndexError> {
    match state.head.as_deref().and_then(|head| Oid::from_str(head).ok()) {
        Some(noted) => index.contains(noted),
        None => Ok(true),
    }
}

/// The pushes of one attempt.
struct Landing<'a> {
    writer: &'a Writer,
    until: Instant,
    /// The last known head of the remote.
    head: Head,
    refusals: usize,
    landed: bool,
}

impl Landing<'_> {
    /// Pushes the groups of changes, all at once or, if the remote refuses that, by halves, but each group as a whole. Calls
    /// `report` with the result of each change.
    fn land(
        &mut self,
        groups: &[Vec<Change>],
        report: &mut impl FnMut(&str, Result<Option<String>, String>),
    ) -> Result<(), IndexError> {
        let changes = groups.concat();
        let refused = match self.writer.commit_before(&self.head, &changes, self.until) {
            Ok(committed) => {
                self.landed |= committed.head != self.head;
                self.head = committed.head;
                for (change, commit) in changes.iter().zip(committed.commits) {
                    report(&change.path, Ok(commit.map(|commit| commit.to_string())));
                }
                return Ok(());
            }
            Err(refused @ IndexError::RemoteRefused { .. }) => refused,
            Err(error) => return Err(error),
        };
        self.refusals += 1;
        if !self.landed && self.refusals >= REFUSALS {
            return Err(refused);
        }
        match groups {
            [together] => {
                for change in together {
                    report(&change.path, Err(refused.to_string()));
                }
            }
            _ => {
                let (first, second) = groups.split_at(groups.len() / 2);
                self.land(first, report)?;
                self.land(second, report)?;
            }
        }
        Ok(())
    }
}
