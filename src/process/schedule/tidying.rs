//! Tidying the crate store by schedule: what no version needs goes to the quarantine, and leaves it when its time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{Connection, PgConnection};

use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::catalog::{crate_files, versions};
use crate::jobs::unused_files::{self, ORPHAN_AGE, Tidied};
use crate::process::{CommandError, Storage};

/// How often, if files stay in the quarantine for longer than that.
const EVERY: Duration = Duration::from_secs(6 * 60 * 60);
/// How long after a start, so that one that is started again and again tidies as well.
const FIRST_AFTER: Duration = Duration::from_secs(10 * 60);

/// A thread that tidies. A stop ends it at the next 256th of the store.
pub struct Tidying {
    stop: mpsc::Sender<()>,
    stopped: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

struct Schedule {
    database_url: String,
    pool: Pool,
    crate_store: CrateStore,
    retention: Duration,
    stopped: Arc<AtomicBool>,
}

impl Tidying {
    pub fn start(
        storage: &Storage,
        (pool, crate_store): (&Pool, &CrateStore),
        retention: Duration,
    ) -> Result<Self, CommandError> {
        let stopped = Arc::new(AtomicBool::new(false));
        let schedule = Schedule {
            database_url: storage.database_url.clone(),
            pool: pool.clone(),
            crate_store: crate_store.clone(),
            retention,
            stopped: Arc::clone(&stopped),
        };
        let (stop, told) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("tidy".to_owned()).spawn(move || {
            let mut wait = FIRST_AFTER.min(retention);
            while told.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = EVERY.min(retention);
                if let Err(error) = schedule.tidy() {
                    tracing::warn!(%error, "the crate store could not be tidied; tried again in {wait:?}");
                }
            }
        })?;
        Ok(Self { stop, stopped, thread })
    }

    pub fn stop(self) {
        self.stopped.store(true, Ordering::Relaxed);
        drop(self.stop);
        // Its panic was told by the panic hook.
        let _ = self.thread.join();
    }
}

impl Schedule {
    fn tidy(&self) -> Result<(), CommandError> {
        let mut session = PgConnection::establish(&self.database_url)?;
        if !crate_files::try_lock_tidying(&mut session)? {
            return Ok(());
        }
        let stripped = versions::strip_deleted(&mut session)?;
        if stripped > 0 {
            tracing::info!(versions = stripped, "removed the metadata of deleted versions");
        }
        let before = |age: Duration| {
            let age = TimeDelta::from_std(age).ok();
            age.and_then(|age| Utc::now().checked_sub_signed(age)).unwrap_or(DateTime::<Utc>::MIN_UTC)
        };
        let limits = (before(ORPHAN_AGE), before(self.retention));
        let stopped = || self.stopped.load(Ordering::Relaxed);
        let Tidied { quarantined, expired } =
            unused_files::tidy(&self.pool, &self.crate_store, limits, &stopped).map_err(CommandError::from)?;
        for place in quarantined {
            tracing::info!(file = place, "moved a crate file that no version needs to the quarantine");
        }
        for file in expired {
            tracing::info!(
                file = file.location,
                size = file.size,
                "removed from the quarantine, where its time was over"
            );
        }
        Ok(())
    }
}
