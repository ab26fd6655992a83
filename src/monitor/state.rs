//! The file that remembers which incidents are open, and who was told what.
//!
//! It is locked by a file beside it for as long as a monitor uses it, and replaced as a whole, so that whatever happens
//! there is the one state or the other. A monitor that is run by cron waits for the one before it, up to a time.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::MonitorError;
use super::incidents::Event;
use crate::error_chain::ErrorChain;

/// How long another monitor is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// By check.
    pub courses: BTreeMap<String, Course>,
    /// By receiver.
    pub receivers: BTreeMap<String, Outbox>,
}

/// How a check has been doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    pub incident: Option<Incident>,
    /// FetchRequests in a row that found the contrary of what is so: trouble where no incident is open, or none where one is.
    pub looks: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    pub since: DateTime<Utc>,
}

/// What a receiver has not taken yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    /// In the order in which they are to be sent.
    pub events: VecDeque<Event>,
    /// Failures in a row.
    pub failures: u32,
    /// Not to be tried before.
    pub retry_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

/// The state, in the hands of this process.
pub struct StateFile {
    path: PathBuf,
    pub state: State,
    _lock: Flock<File>,
}

impl StateFile {
    /// Locks and reads it; one that is not there yet is empty.
    pub fn open(path: &Path) -> Result<Self, MonitorError> {
        let failed = |source| MonitorError::State { path: path.display().to_string(), source };
        let lock = lock(&beside(path, "lock"), PATIENCE).map_err(failed)?;
        let lock = lock.ok_or_else(|| MonitorError::InUse { path: path.display().to_string() })?;
        let state = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| MonitorError::Damaged { path: path.display().to_string(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(failed(error)),
        };
        let file = Self { path: path.to_owned(), state, _lock: lock };
        // Who can't remember must not begin.
        file.save()?;
        Ok(file)
    }

    /// Writes it as a whole; when this returns it is on the disk.
    pub fn save(&self) -> Result<(), MonitorError> {
        self.write().map_err(|source| MonitorError::State { path: self.path.display().to_string(), source })
    }

    /// The same for a monitor at work: a disk that is full must not keep it from paging for that.
    pub fn keep(&self) {
        if let Err(error) = self.save() {
            tracing::error!(error = %ErrorChain::of(&error), "a monitor that is started now would page again");
        }
    }

    fn write(&self) -> io::Result<()> {
        let unfinished = beside(&self.path, "new");
        // Pages may tell what is nobody else's business.
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(&self.state)?)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &self.path)?;
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{extension}"));
    path.with_file_name(name)
}

/// None if another one keeps it for as long as this.
fn lock(path: &Path, patience: Duration) -> io::Result<Option<Flock<File>>> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let until = Instant::now() + patience;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(Some(locked)),
            Err((busy, Errno::EWOULDBLOCK)) if Instant::now() < until => file = busy,
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, error)) => return Err(error.into()),
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_monitors_do_not_have_the_state_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("monitor.json");
        let first = StateFile::open(&path).unwrap();
        assert!(lock(&beside(&path, "lock"), Duration::ZERO).unwrap().is_none());
        drop(first);
        assert!(lock(&beside(&path, "lock"), Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn what_was_saved_is_read_again_and_a_damaged_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("monitor.json");
        let mut file = StateFile::open(&path).unwrap();
        let since = DateTime::from_timestamp(1_800_000_000, 5).unwrap();
        file.state.courses.insert("disk".to_owned(), Course { incident: Some(Incident { since }), looks: 1 });
        file.state.receivers.entry("webhook".to_owned()).or_default().failures = 3;
        file.save().unwrap();
        let saved = file.state.clone();
        drop(file);
        assert_eq!(StateFile::open(&path).unwrap().state, saved);
        // Half a file, as no version of this program leaves it.
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let refused = StateFile::open(&path).err().unwrap().to_string();
        assert!(refused.contains("move it away to start anew"), "{refused}");
        let nowhere = directory.path().join("missing/monitor.json");
        assert!(StateFile::open(&nowhere).err().unwrap().to_string().contains("--monitor-state"));
    }
}
