//! A directory of backups.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::error::BackupError;
use super::private_files::{create_directory, list, sync};
use crate::crate_store::CrateStore;
use crate::package::Checksum;

/// The time in a backup's name, in UTC, without colons, which some file systems and programs do not allow.
const NAME: &str = "%Y-%m-%dT%H-%M-%SZ";
/// The suffix of a backup that is being made or removed.
const UNFINISHED: &str = ".unfinished";

/// A directory of backups.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

/// The lock for making and removing backups, held until it is dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file releases the lock")] File);

impl Directory {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the directory if it does not exist, locks it, and removes what a killed backup left.
    pub(super) fn lock(&self) -> Result<Lock, BackupError> {
        create_directory(&self.path)?;
        let path = self.path.join("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = open.map_err(BackupError::file("open", &path))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => BackupError::Locked(self.path.clone()),
            TryLockError::Error(error) => BackupError::file("lock", &path)(error),
        })?;
        for name in self.entries()?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            let path = self.path.join(name);
            fs::remove_dir_all(&path).map_err(BackupError::file("remove", &path))?;
        }
        Ok(Lock(file))
    }

    /// The names of all complete backups, oldest first.
    pub fn names(&self) -> Result<Vec<String>, BackupError> {
        let mut names = match self.entries() {
            Err(BackupError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Vec::new(),
            entries => entries?,
        };
        names.retain(|name| NaiveDateTime::parse_from_str(name, NAME).is_ok());
        names.sort();
        Ok(names)
    }

    /// The named backup, or the latest.
    pub fn choose(&self, at: Option<&str>) -> Result<String, BackupError> {
        let names = self.names()?;
        let latest = names.last().cloned().ok_or_else(|| BackupError::None(self.path.clone()))?;
        match at {
            None => Ok(latest),
            Some(at) if names.iter().any(|name| name == at) => Ok(at.to_owned()),
            Some(at) => {
                Err(BackupError::Unknown { name: at.to_owned(), directory: self.path.clone(), known: names.join(", ") })
            }
        }
    }

    /// The path of a backup.
    pub(super) fn backup(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The path of a backup while it is being made or removed.
    pub(super) fn unfinished(&self, name: &str) -> PathBuf {
        self.path.join(format!(".{name}{UNFINISHED}"))
    }

    /// The directory of crate files, which all backups share.
    pub(super) fn crates(&self) -> PathBuf {
        self.path.join("crates")
    }

    /// The path of a crate file.
    pub(super) fn crate_file(&self, checksum: Checksum) -> PathBuf {
        self.crates().join(CrateStore::place(checksum))
    }

    /// Creates the directory of a new backup. The result holds its path and the name of the backup, which is the next free
    /// second.
    pub(super) fn begin(&self, now: DateTime<Utc>) -> Result<(PathBuf, String), BackupError> {
        let mut time = now;
        loop {
            let name = time.format(NAME).to_string();
            if !self.backup(&name).exists() {
                let place = self.unfinished(&name);
                create_directory(&place)?;
                return Ok((place, name));
            }
            time += TimeDelta::seconds(1);
        }
    }

    /// Renames a new backup to its name.
    pub(super) fn finish(&self, place: &Path, name: &str) -> Result<(), BackupError> {
        sync(place)?;
        let path = self.backup(name);
        fs::rename(place, &path).map_err(BackupError::file("rename", &path))?;
        sync(&self.path)
    }

    fn entries(&self) -> Result<Vec<String>, BackupError> {
        list(&self.path)
    }
}
