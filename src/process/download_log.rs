//! The thread that writes the log of downloads to the database, and removes what it no longer keeps.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};

use crate::config::DownloadLogOptions;
use crate::database::download_log::coverage::Scope;
use crate::database::{Pool, download_log};
use crate::process::CommandError;
use crate::web::download_log::{DownloadLog, LogError};

/// How often entries are written: what a killed process loses.
const WRITTEN: Duration = Duration::from_secs(1);
/// How often old entries are looked for, also those of a log that was turned off.
const TIDIED: Duration = Duration::from_secs(60);
/// Entries that are removed at once, and how often in a row.
const BATCH: i64 = 5_000;
const BATCHES: usize = 10;

/// The log that an operator has asked for. In a private registry every download has a token.
pub fn of(options: &DownloadLogOptions, is_private: bool) -> DownloadLog {
    let Some(retention) = options.download_log_retention else { return DownloadLog::default() };
    let scope = if options.download_log_anonymous || is_private { Scope::All } else { Scope::Tokens };
    DownloadLog::new(scope, TimeDelta::from_std(retention).unwrap_or(TimeDelta::MAX))
}

/// Writes every second, and once more when it is stopped.
pub struct Logging {
    stop: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Logging {
    pub fn start(log: DownloadLog, pool: Pool) -> Result<Self, CommandError> {
        DownloadLog::describe();
        let (stop, stopped) = mpsc::channel();
        let interval = if log.is_on() { WRITTEN } else { TIDIED };
        let thread = std::thread::Builder::new().name("download-log".to_owned()).spawn(move || {
            let mut writer = Writer { log, pool, retention: None, failing: false, tidy_at: Instant::now() };
            writer.run();
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                writer.run();
            }
            writer.write();
            let lost = writer.log.waiting();
            if lost > 0 {
                tracing::error!(
                    lost,
                    "lost entries of the download log: the database was unreachable when this process ended"
                );
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Called after the last request.
    pub fn stop(self) {
        drop(self.stop);
        // The panic hook has logged a panic of the thread.
        let _ = self.thread.join();
    }
}

struct Writer {
    log: DownloadLog,
    pool: Pool,
    /// How long entries are kept, once the setting is noted; without an end if there is nothing to keep.
    retention: Option<Option<TimeDelta>>,
    failing: bool,
    tidy_at: Instant,
}

impl Writer {
    fn run(&mut self) {
        self.write();
        if Instant::now() >= self.tidy_at {
            self.tidy();
        }
    }

    fn write(&mut self) {
        // The setting first: what the log has is known from it.
        let written = self.note_setting().and_then(|()| self.log.flush(&self.pool));
        match written {
            Ok(()) => {
                if self.failing {
                    tracing::info!("the download log is written to the database again");
                }
                self.failing = false;
            }
            Err(error) => {
                // An outage is logged once.
                if !self.failing {
                    let waiting = self.log.waiting();
                    tracing::warn!(%error, waiting, "cannot write the download log to the database; its entries stay in memory until it is back");
                }
                self.failing = true;
            }
        }
    }

    fn note_setting(&mut self) -> Result<(), LogError> {
        if self.retention.is_none() {
            self.retention = Some(self.log.note_setting(&self.pool)?);
        }
        Ok(())
    }

    /// Removes what is too old. If much is, the rest at the next runs.
    fn tidy(&mut self) {
        let Some(Some(retention)) = self.retention else { return };
        let Some(before) = Utc::now().checked_sub_signed(retention) else { return };
        for _ in 0..BATCHES {
            match self.pool.with(|connection| download_log::forget(connection, before, BATCH)) {
                Ok(Ok(removed)) if i64::try_from(removed).is_ok_and(|removed| removed < BATCH) => {
                    self.tidy_at = Instant::now() + TIDIED;
                    return;
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "cannot remove old entries of the download log; next attempt in {TIDIED:?}");
                    self.tidy_at = Instant::now() + TIDIED;
                    return;
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot remove old entries of the download log; next attempt in {TIDIED:?}");
                    self.tidy_at = Instant::now() + TIDIED;
                    return;
                }
            }
        }
    }
}
