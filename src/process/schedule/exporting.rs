//! The copy of the index in a bucket: requests exports, soon after the batches of the index, and measures how far it is behind.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::{Intervals, Scheduled};
use crate::database::Pool;
use crate::database::upkeep::index_exports::{self, IndexExport};
use crate::index::{Index, Oid};
use crate::jobs::index_export::{ExportIndex, LOOK_AGAIN, Lag};
use crate::process::CommandError;
use crate::queue::{Completions, Enqueue};
use crate::web::export_state::ExportState;

/// What no job of the index announces, such as another config.json, is found within this time.
const INTERVALS: Intervals = Intervals { first: Duration::ZERO, then: Duration::from_secs(1) };

/// After this time an export is requested again, although nothing has changed: its job may be dead, or was run by a process
/// with other options.
const AGAIN: Duration = Duration::from_secs(30);

struct Exporting {
    pool: Pool,
    index: Index,
    destination: String,
    state: ExportState,
    /// The head that is exported and settled, and when that was looked up.
    settled: Option<(Oid, Instant)>,
    /// What was requested, and when.
    requested: Option<(Oid, IndexExport, Instant)>,
}

/// Starts the schedule in a process that runs jobs. `completions` wake it after each commit of a job.
pub fn start(
    (pool, index): (&Pool, &Index),
    completions: &Completions,
    destination: String,
    state: ExportState,
) -> Result<Scheduled, CommandError> {
    let mut exporting =
        Exporting { pool: pool.clone(), index: index.clone(), destination, state, settled: None, requested: None };
    let scheduled = Scheduled::start("export", "request an export of the index", INTERVALS, move |_| {
        let looked = exporting.look();
        if looked.is_err() {
            exporting.state.set(None);
        }
        looked
    })?;
    completions.watch(scheduled.waker());
    Ok(scheduled)
}

impl Exporting {
    fn look(&mut self) -> Result<(), CommandError> {
        let Some(head) = self.index.head()?.commit else { return Ok(()) };
        // Only an invalidation that a command left behind is found later.
        if self.settled.is_some_and(|(settled, at)| settled == head && at.elapsed() < LOOK_AGAIN) {
            return Ok(());
        }
        let key = self.destination.as_str();
        let Some(state) = self.pool.with(|connection| index_exports::find(connection, key))?? else {
            self.pool.with(|connection| index_exports::declare(connection, key))??;
            return self.look();
        };
        self.state.set(Lag::of(&self.index, &state, head)?.map(|lag| (lag.commits, lag.seconds)));
        let commit = head.to_string();
        let is_exported = state.commit_id.as_ref() == Some(&commit);
        let is_invalidated = !state.invalidates_all;
        if is_exported && is_invalidated && state.settled_commit == state.commit_id {
            self.settled = Some((head, Instant::now()));
            return Ok(());
        }
        let age = |at: DateTime<Utc>| (Utc::now() - at).to_std().unwrap_or_default();
        let is_due = state.checked_at.is_none_or(|at| age(at) >= LOOK_AGAIN);
        if is_exported && is_invalidated && !is_due {
            return Ok(());
        }
        let is_requested = self
            .requested
            .as_ref()
            .is_some_and(|(requested, before, at)| *requested == head && *before == state && at.elapsed() < AGAIN);
        if !is_requested {
            let job = ExportIndex { destination: self.destination.clone() };
            self.pool.with(|connection| Enqueue::new(&job).insert(connection))??;
            self.requested = Some((head, state, Instant::now()));
        }
        Ok(())
    }
}
