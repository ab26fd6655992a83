//! What an attempt has to write.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use diesel::PgConnection;

use super::destination::Destination;
use super::error::ExportError;
use crate::database::upkeep::index_exports::{self, IndexExport};
use crate::database::upkeep::index_state;
use crate::index::{ConfigJson, Head, Index, IndexError, Oid};

/// For how long a changed file is looked at again: longer than S3 accepts a signature (15 minutes), and the longest request.
pub const HORIZON: Duration = Duration::from_secs(20 * 60);

/// How often.
pub const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How long to wait for another process of this machine that writes to the mirror.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// The most commits of which an attempt reads what they changed. If there are more, all files are compared.
const MOST: usize = 20_000;

/// What an export is asked to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What changed since the last one.
    Changes,
    /// Whatever differs.
    Everything,
    /// Every file, for new headers.
    Rewrite,
}

/// An attempt that has the lock.
pub struct Begun {
    pub state: IndexExport,
    /// The commit that is exported.
    pub commit: Oid,
    pub work: Work,
    /// Whether the commit follows the one that was settled last.
    pub follows: bool,
    /// Whether what is not settled is looked at.
    pub looks_again: bool,
    /// The smallest number of an object that this attempt need not write again.
    pub since: i64,
    /// Whether the mirror was fetched under the lock: a commit that is not here is lost.
    pub is_fetched: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Changes {
        changed: BTreeSet<String>,
        /// What is looked at again.
        again: BTreeSet<String>,
    },
    Everything,
    Rewrite,
}

/// Locks the state and decides what to write; `None` if there is nothing to do, or another process exports.
pub fn begin(
    connection: &mut PgConnection,
    index: &Index,
    destination: &Destination,
    scope: Scope,
) -> Result<Option<Begun>, ExportError> {
    let Some(state) = index_exports::lock(connection, &destination.key())? else { return Ok(None) };
    let is_fetched = scope != Scope::Changes && fetch(index)?;
    let Head { commit: Some(commit) } = index.head()? else { return Ok(None) };
    refuse_private(index, commit)?;
    refuse_behind(connection, index, &state, (commit, is_fetched))?;
    let settled = known(state.settled_commit.as_deref());
    let follows = settled.map_or(Ok(false), |settled| index.is_in(settled, commit))?;
    let is_due = is_due(&state);
    let work = match scope {
        Scope::Everything => Work::Everything,
        Scope::Rewrite => Work::Rewrite,
        Scope::Changes => match changes(index, (&state, is_due), commit)? {
            Some(work) => work,
            None => return Ok(None),
        },
    };
    let looks_again = is_due || scope != Scope::Changes || work == Work::Everything;
    let since = state.fence;
    Ok(Some(Begun { state, commit, work, follows, looks_again, since, is_fetched }))
}

fn changes(index: &Index, (state, is_due): (&IndexExport, bool), head: Oid) -> Result<Option<Work>, IndexError> {
    let Some(exported) = known(state.commit_id.as_deref()) else { return Ok(Some(Work::Everything)) };
    let Some(history) = index.history(exported, head, MOST)? else { return Ok(Some(Work::Everything)) };
    let again = match known(state.settled_commit.as_deref()).filter(|settled| *settled != exported) {
        Some(settled) if is_due => {
            // Those of a history that was rewritten are not known any more.
            index.history(settled, exported, MOST)?.map(|history| history.paths).unwrap_or_default()
        }
        _ => BTreeSet::new(),
    };
    let is_settling = state.settled_commit != state.commit_id;
    if head == exported && !(is_settling && is_due) && !state.invalidates_all {
        return Ok(None);
    }
    let again = again.difference(&history.paths).cloned().collect();
    Ok(Some(Work::Changes { changed: history.paths, again }))
}

/// Whether it is time to look again.
fn is_due(state: &IndexExport) -> bool {
    let age = TimeDelta::from_std(LOOK_AGAIN).unwrap_or(TimeDelta::zero());
    state.checked_at.is_none_or(|checked| Utc::now() - checked >= age)
}

/// Fetches a mirror; false if the index has no remote.
fn fetch(index: &Index) -> Result<bool, IndexError> {
    let Some(remote) = index.remote() else { return Ok(false) };
    index.lock_writer_within(LOCK_PATIENCE)?.catch_up(remote)?;
    Ok(true)
}

/// Refuses a head before the commit that was exported, and a mirror that lacks what was noted last as the head of its remote:
/// the objects would go back to an older commit.
pub(super) fn refuse_behind(
    connection: &mut PgConnection,
    index: &Index,
    state: &IndexExport,
    (head, is_fetched): (Oid, bool),
) -> Result<(), ExportError> {
    if let Some(exported) = known(state.commit_id.as_deref()).filter(|exported| *exported != head)
        && index.is_in(head, exported)?
    {
        return Err(ExportError::Behind(exported.to_string()));
    }
    if index.remote().is_none() || is_fetched {
        return Ok(());
    }
    match known(index_state::read(connection)?.head.as_deref()) {
        Some(noted) if !index.is_in(noted, head)? => Err(ExportError::Behind(noted.to_string())),
        _ => Ok(()),
    }
}

pub(super) fn known(commit: Option<&str>) -> Option<Oid> {
    commit.and_then(|commit| commit.parse().ok())
}

fn refuse_private(index: &Index, commit: Oid) -> Result<(), ExportError> {
    let file = index.read(&Head { commit: Some(commit) }, ConfigJson::PATH)?;
    let config = file.and_then(|file| ConfigJson::parse(&file.content).ok());
    if config.is_some_and(|config| config.auth_required) { Err(ExportError::Private) } else { Ok(()) }
}
