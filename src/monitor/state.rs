//! The state file: open incidents, and events that receivers have not accepted yet.
//!
//! A monitor holds a lock file beside it while it runs, and replaces the state file as a whole, so that it is never half
//! written. A monitor that cron starts waits for a while for the previous one to end.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::MonitorError;
use super::event::Event;
use crate::error_chain::ErrorChain;
use crate::replace_file::replace_file;

/// How long to wait for another monitor to end.
const PATIENCE: Duration = Duration::from_secs(20);
const TRY_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// By name of the check.
    pub checks: BTreeMap<String, CheckState>,
    /// By name of the receiver.
    pub receivers: BTreeMap<String, Outbox>,
}

/// The history of a check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckState {
    pub incident: Option<Incident>,
    /// Rounds in a row that found a problem while no incident is open, or none while one is.
    pub streak: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    pub since: DateTime<Utc>,
}

/// Events that a receiver has not accepted yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    /// In the order of sending.
    pub events: VecDeque<Event>,
    /// Failures in a row.
    pub failures: u32,
    /// The time of the next attempt.
    pub retry_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

/// The state, locked by this process.
pub struct StateFile {
    path: PathBuf,
    pub state: State,
    _lock: File,
}

impl StateFile {
    /// Locks and reads the file. A missing file is an empty state.
    pub fn open(path: &Path) -> Result<Self, MonitorError> {
        let failed = |source| MonitorError::State { path: path.display().to_string(), source };
        let lock = lock(&lock_file(path), PATIENCE).map_err(failed)?;
        let lock = lock.ok_or_else(|| MonitorError::InUse { path: path.display().to_string() })?;
        let state = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| MonitorError::Damaged { path: path.display().to_string(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(failed(error)),
        };
        let file = Self { path: path.to_owned(), state, _lock: lock };
        // A monitor that cannot write its state must not start.
        file.save()?;
        Ok(file)
    }

    /// Replaces the file. When this returns, the new one is on the disk.
    pub fn save(&self) -> Result<(), MonitorError> {
        self.write().map_err(|source| MonitorError::State { path: self.path.display().to_string(), source })
    }

    /// Saves the state of a running monitor. A failure is logged only: a full disk must not prevent the page about it.
    pub fn keep(&self) {
        if let Err(error) = self.save() {
            tracing::error!(error = %ErrorChain::of(&error), "cannot save the state file: if the monitor is restarted now, it pages again");
        }
    }

    fn write(&self) -> io::Result<()> {
        replace_file(&self.path, &serde_json::to_vec_pretty(&self.state)?)
    }
}

fn lock_file(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    path.with_file_name(name)
}

/// Locks the file. None if another process holds the lock for that long.
fn lock(path: &Path, patience: Duration) -> io::Result<Option<File>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let until = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        std::thread::sleep(TRY_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_monitors_cannot_hold_the_state_file_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("monitor.json");
        let first = StateFile::open(&path).unwrap();
        assert!(lock(&lock_file(&path), Duration::ZERO).unwrap().is_none());
        drop(first);
        assert!(lock(&lock_file(&path), Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn a_saved_state_is_read_again_and_a_damaged_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("monitor.json");
        let mut file = StateFile::open(&path).unwrap();
        let since = DateTime::from_timestamp(1_800_000_000, 5).unwrap();
        file.state.checks.insert("disk".to_owned(), CheckState { incident: Some(Incident { since }), streak: 1 });
        file.state.receivers.entry("webhook".to_owned()).or_default().failures = 3;
        file.save().unwrap();
        let saved = file.state.clone();
        drop(file);
        assert_eq!(StateFile::open(&path).unwrap().state, saved);
        // Half a file.
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let refused = StateFile::open(&path).err().unwrap().to_string();
        assert!(refused.contains("move it away to start with an empty state"), "{refused}");
        let nowhere = directory.path().join("missing/monitor.json");
        assert!(StateFile::open(&nowhere).err().unwrap().to_string().contains("--monitor-state"));
    }
}
