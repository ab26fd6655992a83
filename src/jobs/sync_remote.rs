//! The steps of [`sync_index`](super::sync_index) when the index is at a remote.
//!
//! Without a remote all writers of an installation read one repository, and whoever locks the crates last reads its newest
//! state. With one, each machine has a mirror, and a mirror may be behind: A pushes commit 1; B fetches it, pushes commit 2
//! and notes what that shows; then A, which was slow, notes what commit 1 shows. The database would be left with it.
//!
//! So what is noted carries a *fence*, the number in the one row of `index_state`. A batch
//!
//! 1. reads the fence, and only then the head and the wanted rows;
//! 2. renders, and pushes what differs. A push is fast-forward: if it lands, its base was the remote's head. If nothing
//!    differed, nothing proved that, and the head is looked up at the remote ([`Writer::confirm`]);
//! 3. locks the row. If the fence is still the one that was read, no batch has noted anything since, so what it is about to
//!    note, a state that the remote had after that reading, is the newest that anybody noted. It raises the fence and notes,
//!    in the commit that ends its jobs. If the fence has moved, it starts over, keeping the lock, so that it can't lose
//!    again.
//!
//! Why that is enough: take two batches that note states s1 and s2 of the remote, s1 older than s2. If s1's is noted last,
//! its lock came after the commit of s2's note, and its fence had been read before s1 was the remote's state, hence before
//! s2's note: it sees another number, and starts over from a head that is s2 or newer.
//!
//! A push whose end was not heard may land at any later time, as long as the remote stays where it was. The next commit
//! makes that impossible. If the next batch has nothing to commit, because the wish was taken back meanwhile, it commits
//! an empty change ([`Writer::confirm`] with `settle`): always when the last batch was another process's, of which nobody
//! knows what it had under way when it ended.
//!
//! A remote that refuses a push refuses the whole of it, though perhaps for one file. So a refused batch is halved until
//! the refused files are alone; their jobs fail, and the others go on. If everything is refused it is the remote's
//! trouble and nobody's own.

use std::time::{Duration, Instant};

use super::subject::{self, Subject};
use super::sync_index::{TRIES, index_failed, log_undescribed, note_what_is_shown};
use super::written::{Unwritten, Written};
use crate::database::upkeep::index_state::{self, IndexState};
use crate::fault;
use crate::index::{Change, Head, Index, IndexError, Oid, Remote, Writer};
use crate::queue::{JobError, Run};

/// What is kept of a batch's time limit for noting what was pushed, or a quarter of it if that is less.
const RESERVE: Duration = Duration::from_secs(5);

/// How long another process may have the right to write; it may be fetching.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// So many refusals without anything that lands mean that the remote takes nothing. More than it takes to halve the
/// largest batch down to one.
const REFUSALS: usize = 9;

/// Makes the remote and the mirror show what is wanted, and the database say so.
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
        match attempt(&writer, remote, subjects, until, run)? {
            Attempt::Noted(written) => return Ok(written),
            Attempt::Moved(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| JobError::outage("the index moved each time it was written"), index_failed))
}

enum Attempt {
    Noted(Written),
    /// Somebody else was faster.
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
    if remote.is_unsure() || !knows(index, &state).map_err(index_failed)? {
        writer.catch_up_before(remote, until).map_err(index_failed)?;
    }
    let head = index.head().map_err(index_failed)?;
    fault::point("job.head_read")?;
    let lines = run.with_connection(|connection| subject::desired_lines(connection, subjects))?;
    fault::point("job.desired_read")?;
    let (mut written, changes) = Written::render(index, &head, lines, subjects)?;
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
        written.note(&path, outcome.map_err(|text| Unwritten { text, is_shared: !landing.landed }));
    }
    if !landing.landed {
        let settle = remote.is_unsettled() || state.writer.as_deref() != Some(remote.writer());
        match writer.confirm(remote, &landing.head, settle, until) {
            Ok(()) => {}
            Err(moved @ IndexError::HeadMoved { .. }) => return Ok(Attempt::Moved(moved)),
            Err(error) => return Err(index_failed(error)),
        }
    }
    fault::point("job.remote_written")?;
    let now = run.with_connection(index_state::lock).map_err(JobError::outage)?;
    let head = index.head().map_err(index_failed)?;
    if now != state.fence {
        return Ok(Attempt::Moved(IndexError::HeadMoved { expected: landing.head.commit, found: head.commit }));
    }
    let undescribed = run.with_connection(|connection| {
        let undescribed = note_what_is_shown(connection, index, &written)?;
        let commit = head.commit.map(|commit| commit.to_string()).unwrap_or_default();
        index_state::note(connection, &commit, remote.writer())?;
        Ok::<_, JobError>(undescribed)
    })?;
    log_undescribed(&undescribed);
    Ok(Attempt::Noted(written))
}

/// Whether the mirror has what was noted last.
fn knows(index: &Index, state: &IndexState) -> Result<bool, IndexError> {
    match state.head.as_deref().and_then(|head| Oid::from_str(head).ok()) {
        Some(noted) => index.contains(noted),
        None => Ok(true),
    }
}

/// The pushes of one attempt.
struct Landing<'a> {
    writer: &'a Writer,
    until: Instant,
    /// Where the remote was last known to be.
    head: Head,
    refusals: usize,
    landed: bool,
}

impl Landing<'_> {
    /// Pushes the changes, all at once or, if the remote refuses that, by halves. `tell` hears what became of each.
    fn land(
        &mut self,
        changes: &[Change],
        tell: &mut impl FnMut(&str, Result<Option<String>, String>),
    ) -> Result<(), IndexError> {
        let refused = match self.writer.commit_before(&self.head, changes, self.until) {
            Ok(committed) => {
                self.landed |= committed.head != self.head;
                self.head = committed.head;
                for (change, commit) in changes.iter().zip(committed.commits) {
                    tell(&change.path, Ok(commit.map(|commit| commit.to_string())));
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
        match changes {
            [change] => tell(&change.path, Err(refused.to_string())),
            _ => {
                let (first, second) = changes.split_at(changes.len() / 2);
                self.land(first, tell)?;
                self.land(second, tell)?;
            }
        }
        Ok(())
    }
}
