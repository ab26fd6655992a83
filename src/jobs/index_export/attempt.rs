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
}

impl Exporter<'_> {
    /// Writes the objects, and has caches forget the former ones.
    pub fn carry_out(&self, begun: &Begun) -> Result<Done, ExportError> {
        fault::point("export.begun")?;
        let mut items = self.items(begun)?;
        let objects = Objects {
            index: self.index,
            destination: self.destination,
            commit: begun.commit,
            fence: begun.state.fence,
            until: self.until,
            is_stopped: &|| self.progress.is_stopped(),
        };
        let (finished, of) = (AtomicUsize::new(0), items.len());
        let place = |(path, care): &(String, Care)| {
            let placed = objects.place(path, *care)?;
            self.progress.at(finished.fetch_add(1, Ordering::Relaxed) + 1, of);
            Ok((path.clone(), placed))
        };
        // Cargo reads config.json first.
        let config = items.iter().position(|(path, _)| path == ConfigJson::PATH).map(|place| items.remove(place));
        let placed = config.iter().map(place).collect::<Result<Vec<_>, _>>();
        let placed = placed.and_then(|first| Ok([first, for_all(&items, place)?].concat()));
        let placed = placed.map_err(|error| match error {
            ExportError::OutOfTime(_) => ExportError::OutOfTime(finished.load(Ordering::Relaxed)),
            ExportError::Stopped(_) => ExportError::Stopped(finished.load(Ordering::Relaxed)),
            error => error,
        })?;
        fault::point("export.written")?;
        if let Some(invalidation) = &self.destination.invalidation {
            invalidation.run(&stale(begun, &placed))?;
        }
        fault::point("export.invalidated")?;
        let count = |what: Placed| placed.iter().filter(|(_, placed)| *placed == what).count();
        Ok(Done {
            written: count(Placed::Written),
            removed: count(Placed::Removed),
            unchanged: count(Placed::Unchanged),
        })
    }

    /// After an object had a larger number: takes an even larger one, if this attempt still has the lock. Then the object is of
    /// an earlier attempt, made by the clock of a database that is ahead, or of one that was restored.
    pub fn raise(&self, connection: &mut PgConnection, begun: &mut Begun, theirs: i64) -> Result<(), ExportError> {
        begun.state.fence = index_exports::raise(connection, &self.destination.key(), theirs)?;
        Ok(())
    }

    /// Records the commit, in the transaction that has the lock.
    pub fn record(&self, connection: &mut PgConnection, begun: &Begun) -> Result<(), ExportError> {
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

    fn items(&self, begun: &Begun) -> Result<Vec<(String, Care)>, ExportError> {
        let with = |paths: &BTreeSet<String>, care: Care| {
            paths.iter().filter(|path| PATHS(path)).map(|path| (path.clone(), care)).collect::<Vec<_>>()
        };
        let differing = || {
            let is_stopped = || self.progress.is_stopped();
            let compared = comparison::compare(self.index, self.destination, begun.commit, &is_stopped);
            compared.map(|(differing, _)| differing)
        };
        Ok(match &begun.work {
            Work::Changes { changed, again } => [with(changed, Care::Writes), with(again, Care::Compares)].concat(),
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
        })
    }
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
