//! The thread that moves counted downloads from memory into the database.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use chrono::{NaiveDate, Utc};

use crate::database::Pool;
use crate::database::catalog::downloads;
use crate::process::CommandError;
use crate::web::download_counts::DownloadCounts;

/// Moves downloads now and then, and once more when it is stopped.
pub struct Counting {
    stop: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Counting {
    pub fn start(counts: DownloadCounts, pool: Pool, interval: Duration) -> Result<Self, CommandError> {
        DownloadCounts::describe();
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("downloads".to_owned()).spawn(move || {
            let mut flusher = Flusher { counts, pool, failing: false, forgotten_on: None };
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                flusher.flush();
            }
            flusher.flush();
            let lost = flusher.counts.waiting();
            if lost > 0 {
                tracing::error!(lost, "downloads go uncounted: the database was away when this process ended");
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// After the last request.
    pub fn stop(self) {
        drop(self.stop);
        // Its panic was told by the panic hook.
        let _ = self.thread.join();
    }
}

struct Flusher {
    counts: DownloadCounts,
    pool: Pool,
    failing: bool,
    forgotten_on: Option<NaiveDate>,
}

impl Flusher {
    fn flush(&mut self) {
        match self.counts.flush(&self.pool) {
            Ok(()) => {
                if self.failing {
                    tracing::info!("downloads are written to the database again");
                }
                self.failing = false;
                self.forget_old_days();
            }
            Err(error) => {
                // An outage is told once.
                if !self.failing {
                    let waiting = self.counts.waiting();
                    tracing::warn!(%error, waiting, "downloads can't be written to the database; they are kept until they can");
                }
                self.failing = true;
            }
        }
    }

    fn forget_old_days(&mut self) {
        let now = Utc::now();
        if self.forgotten_on == Some(now.date_naive()) {
            return;
        }
        match self.pool.with(|connection| downloads::forget_old_days(connection, now)) {
            Ok(Ok(_)) => self.forgotten_on = Some(now.date_naive()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "old days of downloads could not be forgotten; tried again shortly")
            }
            Err(error) => tracing::debug!(%error, "old days of downloads could not be forgotten; tried again shortly"),
        }
    }
}
