//! The scheduled cleanup of the crate store: unneeded files move to the quarantine, expired ones are removed from it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::PgConnection;

use super::{Intervals, Scheduled, Stopped};
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::catalog::{crate_files, versions};
use crate::jobs::unused_files::{self, ORPHAN_AGE, Tidied};
use crate::process::CommandError;

/// The interval, unless the quarantine's retention is shorter.
const EVERY: Duration = Duration::from_secs(6 * 60 * 60);
/// Delay after a start. Short, so that a process that is restarted often still cleans up.
const FIRST_AFTER: Duration = Duration::from_secs(10 * 60);

struct Cleanup {
    pool: Pool,
    crate_store: CrateStore,
    retention: Duration,
}

/// Starts the schedule. A stop takes effect at the next 256th of the store.
pub fn start((pool, crate_store): (&Pool, &CrateStore), retention: Duration) -> Result<Scheduled, CommandError> {
    let cleanup = Cleanup { pool: pool.clone(), crate_store: crate_store.clone(), retention };
    let intervals = Intervals { first: FIRST_AFTER.min(retention), then: EVERY.min(retention) };
    Scheduled::start("tidy", "clean up the crate store", intervals, move |stopped| cleanup.run(stopped))
}

impl Cleanup {
    fn run(&self, stopped: &Stopped) -> Result<(), CommandError> {
        self.pool.dedicated()?.with(|session| self.run_in(session, stopped))?
    }

    fn run_in(&self, session: &mut PgConnection, stopped: &Stopped) -> Result<(), CommandError> {
        if !crate_files::try_lock_tidying(session)? {
            return Ok(());
        }
        let stripped = versions::strip_deleted(session)?;
        if stripped > 0 {
            tracing::info!(versions = stripped, "removed the metadata of deleted versions");
        }
        let before = |age: Duration| {
            let age = TimeDelta::from_std(age).ok();
            age.and_then(|age| Utc::now().checked_sub_signed(age)).unwrap_or(DateTime::<Utc>::MIN_UTC)
        };
        let limits = (before(ORPHAN_AGE), before(self.retention));
        let Tidied { quarantined, expired } =
            unused_files::tidy(&self.pool, &self.crate_store, limits, &|| stopped.is_set())
                .map_err(CommandError::from)?;
        for place in quarantined {
            tracing::info!(file = place, "moved an unneeded crate file to the quarantine");
        }
        for file in expired {
            tracing::info!(file = file.location, size = file.size, "removed an expired file from the quarantine");
        }
        Ok(())
    }
}
