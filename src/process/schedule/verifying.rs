//! The verification by schedule: now and then, one in an installation, slowly enough not to be noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use chrono::Utc;
use diesel::{Connection, PgConnection};

use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::upkeep::verify_reports;
use crate::index::Index;
use crate::process::{CommandError, Storage};
use crate::verify::{Depth, Ended, Settings, Verifier, Watch};

/// Who asked for it.
const SCHEDULE: &str = "schedule";
/// Crates a second.
const MAX_CRATES: f64 = 500.0;
/// How often it is looked whether one is due: another process may have done it.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long after the very first start the first one is due.
const FIRST_AFTER: Duration = Duration::from_secs(5 * 60);

/// A thread that verifies. A stop ends it at the next crate, and the next start goes on there.
pub struct Verifying {
    stop: mpsc::Sender<()>,
    stopped: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

struct Schedule {
    database_url: String,
    pool: Pool,
    index: Index,
    crate_store: CrateStore,
    interval: Duration,
    stopped: Arc<AtomicBool>,
}

impl Verifying {
    /// None if the interval is none.
    pub fn start(
        storage: &Storage,
        (pool, index, crate_store): (&Pool, &Index, &CrateStore),
        interval: Duration,
    ) -> Result<Option<Self>, CommandError> {
        if interval.is_zero() {
            return Ok(None);
        }
        let stopped = Arc::new(AtomicBool::new(false));
        let schedule = Schedule {
            database_url: storage.database_url.clone(),
            pool: pool.clone(),
            index: index.clone(),
            crate_store: crate_store.clone(),
            interval,
            stopped: Arc::clone(&stopped),
        };
        let (stop, told) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("verify".to_owned()).spawn(move || {
            let mut wait = FIRST_AFTER.min(interval).min(LOOK_EVERY);
            let started = std::time::Instant::now();
            while told.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = LOOK_EVERY.min(interval);
                if let Err(error) = schedule.verify_if_due(started.elapsed()) {
                    tracing::warn!(%error, "the registry could not be verified; tried again in {wait:?}");
                }
            }
        })?;
        Ok(Some(Self { stop, stopped, thread }))
    }

    pub fn stop(self) {
        self.stopped.store(true, Ordering::Relaxed);
        drop(self.stop);
        // Its panic was told by the panic hook.
        let _ = self.thread.join();
    }
}

impl Watch for Schedule {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

impl Schedule {
    fn verify_if_due(&self, up: Duration) -> Result<(), CommandError> {
        let mut session = PgConnection::establish(&self.database_url)?;
        // Whoever holds the lock verifies or repairs at this moment. It ends with the session.
        if !self.is_due(&mut session, up)? || !verify_reports::try_lock(&mut session)? {
            return Ok(());
        }
        // Somebody may have done so between the two.
        if !self.is_due(&mut session, up)? {
            return Ok(());
        }
        let settings = Settings {
            depth: Depth::Light,
            max_crates: Some(MAX_CRATES),
            resume: self.is_interrupted(&mut session)?,
            requested_by: SCHEDULE.to_owned(),
            ..Settings::default()
        };
        let verifier = Verifier {
            pool: &self.pool,
            index: &self.index,
            crate_store: &self.crate_store,
            crates_directory: self.crate_store.directory().map(Into::into),
            settings,
            watch: self,
            repairs: None,
        };
        let Ended { report, interrupted } = verifier.run()?;
        if report.agrees() {
            let crates = report.counts.crates;
            tracing::info!(crates, interrupted, "verified: database, index and crate files agree");
        } else {
            let (differences, by_kind) = (report.left, format!("{:?}", report.by_kind));
            tracing::error!(differences, by_kind, "the registry does not agree with itself: run `supercargo verify`");
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
