//! The thread that writes counted downloads to the database.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use chrono::{NaiveDate, Utc};

use crate::database::Pool;
use crate::database::catalog::downloads;
use crate::process::CommandError;
use crate::web::download_counts::DownloadCounts;

/// Writes at intervals, and once more when it is stopped.
pub struct Counting {
    stop: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Counting {
    pub fn start(counts: DownloadCounts, pool: Pool, interval: Duration) -> Result<Self, CommandError> {
        DownloadCounts::describe();
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("downloads".to_owned()).spawn(move || {
            let mut flusher = Flusher { counts, pool, failing: false, deleted_on: None };
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                flusher.flush();
            }
            flusher.flush();
            let lost = flusher.counts.waiting();
            if lost > 0 {
                tracing::error!(lost, "lost download counts: the database was unreachable when this process ended");
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

struct Flusher {
    counts: DownloadCounts,
    pool: Pool,
    failing: bool,
    deleted_on: Option<NaiveDate>,
}

impl Flusher {
    fn flush(&mut self) {
        match self.counts.flush(&self.pool) {
            Ok(()) => {
                if self.failing {
                    tracing::info!("download counts are written to the database again");
                }
                self.failing = false;
                self.delete_old_days();
            }
            Err(error) => {
                // An outage is logged once.
                if !self.failing {
                    let waiting = self.counts.waiting();
                    tracing::warn!(%error, waiting, "cannot write download counts to the database; they stay in memory until it is back");
                }
                self.failing = true;
            }
        }
    }

    fn delete_old_days(&mut self) {
        let now = Utc::now();
        if self.deleted_on == Some(now.date_naive()) {
            return;
        }
        match self.pool.with(|connection| downloads::forget_old_days(connection, now)) {
            Ok(Ok(_)) => self.deleted_on = Some(now.date_naive()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot delete old daily download counts; next attempt shortly")
            }
            Err(error) => tracing::debug!(%error, "cannot delete old daily download counts; next attempt shortly"),
        }
    }
}
