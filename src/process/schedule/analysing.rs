//! The scheduled analysis of crate files, for lines of code and the like: soon after each publish, and slowly for versions
//! that are older than the analysis.

use std::time::{Duration, Instant};

use super::{Intervals, Scheduled, Stopped};
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::catalog::analyses;
use crate::jobs::analysis;
use crate::process::CommandError;

/// When to look for pending versions.
const INTERVALS: Intervals = Intervals { first: Duration::from_secs(2), then: Duration::from_secs(5) };
/// The longest run, apart from its last version. It leaves most of a processor to the jobs and requests.
const LONGEST_RUN: Duration = Duration::from_secs(1);

/// Starts the schedule. A stop takes effect after the current version.
pub fn start(pool: &Pool, crate_store: &CrateStore) -> Result<Scheduled, CommandError> {
    let (pool, crate_store) = (pool.clone(), crate_store.clone());
    Scheduled::start("analyse", "analyse crate files", INTERVALS, move |stopped: &Stopped| {
        if !pool.with(analyses::any_left)?? {
            return Ok(());
        }
        // A session of its own, because it waits for the crate store, while requests need those of the pool.
        let mut session = pool.dedicated()?;
        let started = Instant::now();
        let is_stopped = || stopped.is_set() || started.elapsed() > LONGEST_RUN;
        let analysed = session.with(|session| analysis::run(session, &crate_store, &is_stopped))??;
        if analysed > 0 {
            tracing::debug!(versions = analysed, "analysed crate files");
        }
        Ok(())
    })
}
