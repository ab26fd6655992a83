//! The end of release sets whose time is over, and the warning of it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::PgConnection;

use super::{Intervals, Scheduled};
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::staging::SetName;
use crate::database::staging::sets;
use crate::jobs::staging::end;
use crate::process::CommandError;

/// Soon after the start, because sets may have expired while no process ran.
const FIRST: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_secs(15);
/// How long before the end the log warns of it.
const WARNED_BEFORE: TimeDelta = TimeDelta::days(1);

/// Starts the schedule. Several processes may do this at the same time.
pub fn start(pool: &Pool, crate_store: &CrateStore) -> Result<Scheduled, CommandError> {
    let (pool, crate_store) = (pool.clone(), crate_store.clone());
    let mut warned = BTreeMap::new();
    let intervals = Intervals { first: FIRST, then: EVERY };
    Scheduled::start("release-sets", "end release sets whose time is over", intervals, move |_| {
        pool.with(|connection| run(connection, &crate_store, &mut warned))?
    })
}

fn run(
    connection: &mut PgConnection,
    crate_store: &CrateStore,
    warned: &mut BTreeMap<SetName, DateTime<Utc>>,
) -> Result<(), CommandError> {
    for set in end::overdue(connection)? {
        match end::expire(connection, &set) {
            Ok(None) => {}
            Ok(Some(files)) => {
                tracing::info!(%set, versions = files.len(), "a release set has expired");
                end::remove_files(connection, crate_store, &files);
            }
            // The others are not to wait for it.
            Err(error) => {
                tracing::error!(%set, %error, "a release set whose time is over was not ended, and will be tried again");
            }
        }
    }
    let soon: BTreeMap<_, _> = sets::ending_before(connection, Utc::now() + WARNED_BEFORE)?.into_iter().collect();
    for (set, expires_at) in soon.iter().filter(|(set, end)| warned.get(*set) != Some(*end)) {
        tracing::warn!(
            %set, %expires_at,
            "a release set ends soon, and what is staged in it will be gone: approve it, or run `supercargo set extend {set}`"
        );
    }
    *warned = soon;
    Ok(())
}
