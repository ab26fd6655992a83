//! A directory of backups.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use nix::fcntl::{Flock, FlockArg};

use super::error::BackupError;
use super::manifest::{self, Manifest};
use crate::crate_store::CrateStore;
use crate::package::Checksum;

/// The time in a backup's name, in UTC. No colons, which some file systems and programs don't take.
const NAME: &str = "%Y-%m-%dT%H-%M-%SZ";
/// The end of the name of what is not a backup yet, or no longer.
const UNFINISHED: &str = ".unfinished";

/// Where backups are kept.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

/// Nobody else makes or removes backups while this is there.
pub(super) struct Lock(#[expect(dead_code, reason = "the lock is held by being there")] Flock<File>);

impl Directory {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory if need be, and removes what a killed backup left.
    pub(super) fn lock(&self) -> Result<Lock, BackupError> {
        create(&self.path)?;
        let path = self.path.join("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = open.map_err(BackupError::file("open", &path))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            nix::errno::Errno::EWOULDBLOCK => BackupError::Locked(self.path.clone()),
            other => BackupError::file("lock", &path)(other.into()),
        })?;
        for name in self.entries()?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            let path = self.path.join(name);
            fs::remove_dir_all(&path).map_err(BackupError::file("remove", &path))?;
        }
        Ok(Lock(lock))
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

    /// Where a backup is.
    pub(super) fn backup(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the backups' crate file of this checksum is.
    pub(super) fn crate_file(&self, checksum: Checksum) -> PathBuf {
        self.path.join("crates").join(CrateStore::place(checksum))
    }

    /// An empty place for a backup that is being made, and the name it will have: that of the next free second.
    pub(super) fn begin(&self, now: DateTime<Utc>) -> Result<(PathBuf, String), BackupError> {
        let mut time = now;
        loop {
            let name = time.format(NAME).to_string();
            if !self.backup(&name).exists() {
                let place = self.path.join(format!(".{name}{UNFINISHED}"));
                create(&place)?;
                return Ok((place, name));
            }
            time += TimeDelta::seconds(1);
        }
    }

    /// Gives what was made its name.
    pub(super) fn finish(&self, place: &Path, name: &str) -> Result<(), BackupError> {
        sync(place)?;
        let path = self.backup(name);
        fs::rename(place, &path).map_err(BackupError::file("name", &path))?;
        sync(&self.path)
    }

    /// Removes the oldest backups beyond `keep`, and the crate files that no other names. Answers the names of the removed
    /// backups, and how many files went. A backup whose list can't be read is refused before anything is removed: its
    /// files would go.
    pub(super) fn prune(&self, keep: usize) -> Result<(Vec<String>, usize), BackupError> {
        let mut names = self.names()?;
        let kept = names.split_off(names.len().saturating_sub(keep));
        let mut needed: HashSet<Checksum> = HashSet::new();
        for name in &kept {
            let manifest = Manifest::read(self, name)?;
            needed.extend(manifest::needed(self, &manifest)?.into_iter().map(|(checksum, _)| checksum));
        }
        for name in &names {
            let (path, going) = (self.backup(name), self.path.join(format!(".{name}{UNFINISHED}")));
            fs::rename(&path, &going).map_err(BackupError::file("remove", &path))?;
            sync(&self.path)?;
            fs::remove_dir_all(&going).map_err(BackupError::file("remove", &going))?;
        }
        let removed = self.remove_files(|checksum| !needed.contains(&checksum))?;
        Ok((names, removed))
    }

    fn remove_files(&self, unneeded: impl Fn(Checksum) -> bool) -> Result<usize, BackupError> {
        let mut removed = 0;
        let root = self.path.join("crates");
        for directory in listed(&root)? {
            let directory = root.join(directory);
            for name in listed(&directory)? {
                let checksum = name.strip_suffix(".crate").and_then(|name| name.parse().ok());
                // What is no crate file's name was being copied when its backup was killed.
                if checksum.is_none_or(&unneeded) {
                    let path = directory.join(name);
                    fs::remove_file(&path).map_err(BackupError::file("remove", &path))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    fn entries(&self) -> Result<Vec<String>, BackupError> {
        listed(&self.path)
    }
}

fn listed(path: &Path) -> Result<Vec<String>, BackupError> {
    fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect())
        .map_err(BackupError::file("list", path))
}

/// A directory for its owner alone: dumps hold the hashes of tokens, and crates may be private.
pub(super) fn create(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(BackupError::file("make", path))
}

/// A new file for its owner alone.
pub(super) fn create_file(path: &Path) -> Result<File, BackupError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    created.map_err(BackupError::file("make", path))
}

/// Has a file or directory on the disk.
pub(super) fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(BackupError::file("write", path))
}
