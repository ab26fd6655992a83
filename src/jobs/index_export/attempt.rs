//! An attempt, from its lock to the record of its commit.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use diesel::PgConnection;

use super::comparison::{self, Differs};
use super::destination::{Destination, PATHS};
use super::error::ExportError;
use super::invalidation::Stale;
use super::object::{Care, Objects, Placed};
use super::parallel::for_all;
use super::plan::{Begun, HORIZON, Work};
use crate::database::upkeep::index_exports;
use crate::fault;
use crate::index::{ConfigJson, Head, Index};

/// Receives the progress of an attempt and can stop it.
pub trait Progress: Sync {
    /// So many of so many objects are right.
    fn at(&self, _done: usize, _of: usize) {}

    /// Called often: true stops the attempt.
    fn is_stopped(&self) -> bool {
        false
    }
}

impl Progress for () {}

/// What an attempt needs besides its plan.
pub struct Exporter<'a> {
    pub index: &'a Index,
    pub destination: &'a Destination,
    /// When it has to end.
    pub until: Instant,
    pub progress: &'a dyn Progress,
}

/// What an attempt did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub written: usize,
    pub removed: usize,
    /// Objects that were right already.
    pub unchanged: usize,
    /// The second look found wrong objects, and left them: the invalidation of everything is to be noted and committed, so that
    /// no failure loses it, and the next attempt writes them.
    pub owes: bool,
}

impl Exporter<'_> {
    /// Writes the objects, and has caches forget the former ones. `is_held` is called before the first object and then every
    /// half minute: an error, because the session with the lock is lost, ends the attempt.
    pub fn carry_out(
        &self,
        begun: &Begun,
        is_held: &mut dyn FnMut() -> Result<(), ExportError>,
    ) -> Result<Done, ExportError> {
        fault::point("export.begun")?;
        let [mut items, again] = self.items(begun)?;
        let objects = Objects {
            index: self.index,
            destination: self.destination,
            commit: begun.commit,
            fence: begun.state.fence,
            since: begun.since,
            is_fetched: begun.is_fetched,
            until: self.until,
            is_stopped: &|| self.progress.is_stopped(),
        };
        let (finished, of) = (AtomicUsize::new(0), items.len() + again.len());
        let place = |(path, care): &(String, Care)| {
            let placed = objects.place(path, *care)?;
            self.progress.at(finished.fetch_add(1, Ordering::Relaxed) + 1, of);
            Ok::<_, ExportError>((path.clone(), placed))
        };
        // Cargo reads config.json first.
        let config = items.iter().position(|(path, _)| path == ConfigJson::PATH).map(|place| items.remove(place));
        is_held()?;
        let first: Result<Vec<(String, Placed)>, ExportError> = config.iter().map(place).collect();
        let placed = first.and_then(|first| {
            let changed = for_all(&items, place, is_held)?;
            // The second look comes last: it delays nothing.
            Ok([first, changed, for_all(&again, place, is_held)?].concat())
        });
        let placed = placed.map_err(|error| match error {
            ExportError::OutOfTime(_) => ExportError::OutOfTime(finished.load(Ordering::Relaxed)),
            ExportError::Stopped(_) => ExportError::Stopped(finished.load(Ordering::Relaxed)),
            error => error,
        })?;
        fault::point("export.written")?;
        let count = |what: Placed| placed.iter().filter(|(_, placed)| *placed == what).count();
        let (written, removed, unchanged) = (count(Placed::Written), count(Placed::Removed), count(Placed::Unchanged));
        let done = Done { written, removed, unchanged, owes: count(Placed::Pending) > 0 };
        if let Some(invalidation) = self.destination.invalidation.as_ref().filter(|_| !done.owes) {
            invalidation.run(&stale(begun, &placed))?;
        }
        fault::point("export.invalidated")?;
        Ok(done)
    }

    /// After an object had a larger number: takes an even larger one, if this attempt still has the lock. Then the object is of
    /// an earlier attempt, made by the clock of a database that is ahead, or of one that was restored.
    pub fn raise(&self, connection: &mut PgConnection, begun: &mut Begun, theirs: i64) -> Result<(), ExportError> {
        begun.state.fence = index_exports::raise(connection, &self.destination.key(), theirs)?;
        begun.since = begun.state.fence;
        Ok(())
    }

    /// Records the commit, or that an invalidation is pending, in the transaction that has the lock.
    pub fn record(&self, connection: &mut PgConnection, begun: &Begun, done: &Done) -> Result<(), ExportError> {
        if done.owes {
            index_exports::owe_invalidation(connection, &self.destination.key())?;
            return Ok(());
        }
        let horizon = i64::try_from(HORIZON.as_secs()).unwrap_or(i64::MAX);
        let commit = begun.commit.to_string();
        index_exports::record(
            connection,
            &self.destination.key(),
            &commit,
            (begun.follows, begun.looks_again, horizon),
        )?;
        fault::point("export.recorded")?;
        Ok(())
    }

    /// What is written, and what is looked at again.
    fn items(&self, begun: &Begun) -> Result<[Vec<(String, Care)>; 2], ExportError> {
        let with = |paths: &BTreeSet<String>, care: Care| {
            paths.iter().filter(|path| PATHS(path)).map(|path| (path.clone(), care)).collect::<Vec<_>>()
        };
        let differing = || {
            let is_stopped = || self.progress.is_stopped();
            let compared = comparison::compare(self.index, self.destination, begun.commit, &is_stopped);
            compared.map(|(differing, _)| differing)
        };
        let owes_nothing = self.destination.invalidation.is_none() || begun.state.invalidates_all;
        let care_again = if owes_nothing { Care::Compares } else { Care::Looks };
        let items = match &begun.work {
            Work::Changes { changed, again } => return Ok([with(changed, Care::Writes), with(again, care_again)]),
            Work::Everything => {
                let care = |differs| match differs {
                    Differs::Missing => Care::IsAbsent,
                    Differs::Perhaps | Differs::Foreign => Care::Compares,
                };
                differing()?.into_iter().map(|(path, differs)| (path, care(differs))).collect()
            }
            Work::Rewrite => {
                let mut paths: BTreeSet<String> = differing()?.into_keys().collect();
                let files = self.index.on_disk().files(&Head { commit: Some(begun.commit) })?;
                paths.extend(files.into_iter().map(|(path, _)| path));
                with(&paths, Care::Writes)
            }
        };
        Ok([items, Vec::new()])
    }
}

/// Whether the session of an attempt is alive, and so has the lock.
pub fn is_held(connection: &mut PgConnection) -> Result<(), ExportError> {
    Ok(index_exports::confirm(connection)?)
}

/// What caches have to forget. What a killed attempt wrote is among it: the files of the same commits, or everything.
fn stale(begun: &Begun, placed: &[(String, Placed)]) -> Stale {
    let Work::Changes { changed, .. } = &begun.work else { return Stale::Everything };
    if begun.state.invalidates_all {
        return Stale::Everything;
    }
    let rewritten = placed.iter().filter(|(_, placed)| *placed != Placed::Unchanged).map(|(path, _)| path);
    Stale::of(rewritten.chain(changed.iter().filter(|path| PATHS(path))).cloned().collect())
}
