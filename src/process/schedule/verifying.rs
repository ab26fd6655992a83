//! The scheduled light verification: one process of an installation runs it, at a limited rate.

use std::time::{Duration, Instant};

use chrono::Utc;
use diesel::PgConnection;

use super::{Intervals, Scheduled, Stopped};
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::upkeep::verify_reports;
use crate::index::Index;
use crate::process::CommandError;
use crate::verify::{Depth, Ended, Settings, Verifier, Watch};

/// The name in `requested_by` of the reports.
const SCHEDULE: &str = "schedule";
/// Crates a second.
const MAX_CRATES: f64 = 500.0;
/// How often to check whether a run is due; another process may have made it.
const CHECK_EVERY: Duration = Duration::from_secs(60);
/// Delay of the first run of a new registry.
const FIRST_AFTER: Duration = Duration::from_secs(5 * 60);

struct Verification {
    pool: Pool,
    index: Index,
    crate_store: CrateStore,
    interval: Duration,
    started: Instant,
}

/// Starts the schedule; None if the interval is 0. A stop takes effect at the next crate, where the next start resumes.
pub fn start(
    (pool, index, crate_store): (&Pool, &Index, &CrateStore),
    interval: Duration,
) -> Result<Option<Scheduled>, CommandError> {
    if interval.is_zero() {
        return Ok(None);
    }
    let verification = Verification {
        pool: pool.clone(),
        index: index.clone(),
        crate_store: crate_store.clone(),
        interval,
        started: Instant::now(),
    };
    let intervals = Intervals { first: FIRST_AFTER.min(interval).min(CHECK_EVERY), then: CHECK_EVERY.min(interval) };
    let scheduled =
        Scheduled::start("verify", "verify the registry", intervals, move |stopped| verification.run_if_due(stopped));
    Ok(Some(scheduled?))
}

impl Watch for Stopped {
    fn is_stopped(&self) -> bool {
        self.is_set()
    }
}

impl Verification {
    fn run_if_due(&self, stopped: &Stopped) -> Result<(), CommandError> {
        self.pool.dedicated()?.with(|session| self.run_in(session, stopped))?
    }

    fn run_in(&self, session: &mut PgConnection, stopped: &Stopped) -> Result<(), CommandError> {
        let up = self.started.elapsed();
        // The holder of the lock is verifying or repairing. The lock ends with its session.
        if !self.is_due(session, up)? || !verify_reports::try_lock(session)? {
            return Ok(());
        }
        // Another process may have verified between the check and the lock.
        if !self.is_due(session, up)? {
            return Ok(());
        }
        let settings = Settings {
            depth: Depth::Light,
            max_crates: Some(MAX_CRATES),
            resume: self.is_interrupted(session)?,
            requested_by: SCHEDULE.to_owned(),
            ..Settings::default()
        };
        let verifier = Verifier {
            pool: &self.pool,
            index: &self.index,
            crate_store: &self.crate_store,
            settings,
            watch: stopped,
            repairs: None,
        };
        let Ended { report, interrupted } = verifier.run()?;
        if report.agrees() {
            let crates = report.counts.crates;
            tracing::info!(crates, interrupted, "verified: database, index and crate files agree");
        } else {
            let (differences, by_kind) = (report.left, format!("{:?}", report.by_kind));
            tracing::error!(differences, by_kind, "verification found differences: run `supercargo verify`");
        }
        Ok(())
    }

    fn is_due(&self, session: &mut PgConnection, up: Duration) -> Result<bool, CommandError> {
        let Some(last) = verify_reports::last_start(session, SCHEDULE)? else {
            return Ok(up >= FIRST_AFTER.min(self.interval));
        };
        let age = Utc::now().signed_duration_since(last).to_std().unwrap_or_default();
        Ok(age >= self.interval || self.is_interrupted(session)?)
    }

    fn is_interrupted(&self, session: &mut PgConnection) -> Result<bool, CommandError> {
        let found = verify_reports::interrupted(session, Depth::Light.as_str())?;
        Ok(found.is_some_and(|report| report.requested_by == SCHEDULE))
    }
}
