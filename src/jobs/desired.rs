//! The desired state of a batch's crates: of most of them, only what their files lack.
//!
//! Versions of a release set that are not as desired become so in one move of the index, whichever job writes one of them.
//! So a batch that reads such a version adds all crates of its set. An approval may be committed between two readings; then
//! a later one has its set and an earlier one does not. [`left_out`] finds that, and the batch reads again.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{PgConnection, QueryResult};

use super::subject::Subject;
use crate::database::catalog::index_files::{self, PendingCrate};
use crate::database::catalog::versions::DesiredLine;
use crate::database::catalog::{crates, versions};
use crate::package::index_path::{crate_path, index_path};
use crate::queue::Run;

/// The desired state of crates.
#[derive(Default)]
pub(super) struct Desired {
    /// Crates with the versions that are not as desired. Their files are edited.
    pub pending: Vec<PendingCrate>,
    /// All lines of other crates. Their files are rendered.
    pub lines: Vec<DesiredLine>,
}

/// The connection of a batch, or of a command that does its work.
pub(super) enum Session<'a, 'run> {
    Job(&'a mut Run<'run>),
    Command(&'a mut PgConnection),
}

impl Session<'_, '_> {
    pub fn with<R>(&mut self, f: impl FnOnce(&mut PgConnection) -> R) -> R {
        match self {
            Self::Job(run) => run.with_connection(f),
            Self::Command(connection) => f(connection),
        }
    }

    /// The desired lines of these crates.
    pub fn lines(&mut self, crate_ids: &[i32]) -> QueryResult<Vec<DesiredLine>> {
        if crate_ids.is_empty() {
            return Ok(Vec::new());
        }
        self.with(|connection| versions::desired_lines(connection, crate_ids))
    }
}

/// Crates by the release set that they wait for.
pub(super) type BySet = BTreeMap<i32, BTreeSet<i32>>;

/// The crates of these sets that were not read with them: each set of `read` has the crates in which it was read.
pub(super) fn left_out(session: &mut Session<'_, '_>, read: &BySet) -> QueryResult<Vec<i32>> {
    if read.is_empty() {
        return Ok(Vec::new());
    }
    let sets: Vec<i32> = read.keys().copied().collect();
    let waiting = session.with(|connection| index_files::waiting_for_sets(connection, &sets))?;
    let is_left_out = |(set, krate): &(i32, i32)| !read.get(set).is_some_and(|crates| crates.contains(krate));
    Ok(waiting.into_iter().filter(is_left_out).map(|(_, krate)| krate).collect())
}

/// The desired state of these crates, of some as a whole, and of the other crates of their release sets.
pub(super) fn of_crates(
    session: &mut Session<'_, '_>,
    mut changed: BTreeSet<i32>,
    whole: &BTreeSet<i32>,
) -> QueryResult<Desired> {
    let whole_ids: Vec<i32> = whole.iter().copied().collect();
    loop {
        let changed_ids: Vec<i32> = changed.difference(whole).copied().collect();
        let pending = match changed_ids.is_empty() {
            true => Vec::new(),
            false => session.with(|connection| index_files::pending(connection, &changed_ids))?,
        };
        let desired = Desired { pending, lines: session.lines(&whole_ids)? };
        let left_out = left_out(session, &desired.by_set())?;
        if left_out.is_empty() {
            return Ok(desired);
        }
        changed.extend(left_out);
    }
}

impl Desired {
    fn by_set(&self) -> BySet {
        let pending = self.pending.iter().flat_map(|krate| krate.pending.iter().map(|one| (one.release_set, krate.id)));
        let lines = self.lines.iter().map(|line| (line.release_set, line.crate_id));
        by_set(pending.chain(lines))
    }
}

/// Collects crates by their sets; most have none.
pub(super) fn by_set(crates: impl Iterator<Item = (Option<i32>, i32)>) -> BySet {
    let mut found = BySet::new();
    for (set, krate) in crates.filter_map(|(set, krate)| Some((set?, krate))) {
        found.entry(set).or_default().insert(krate);
    }
    found
}

/// The desired state of the crates of the subjects. A file that a job names is rendered as a whole, because something may
/// be wrong with it.
pub(super) fn of_subjects(session: &mut Session<'_, '_>, subjects: &[Subject]) -> QueryResult<Desired> {
    let (mut changed, mut whole) = (BTreeSet::new(), BTreeSet::new());
    for subject in subjects {
        match subject {
            Subject::VersionChange(change) => drop(changed.insert(change.crate_id)),
            Subject::File(path) => {
                let Some(name) = crate_path(path) else { continue };
                let found = session.with(|connection| crates::find(connection, &name))?;
                whole.extend(found.filter(|found| index_path(&found.name) == *path).map(|found| found.id));
            }
        }
    }
    of_crates(session, changed, &whole)
}
