//! The temporary database and index of `backup --check`, which restores a backup into them.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use tempfile::TempDir;

use super::signals::Signals;
use super::storage::{connect, git_program};
use crate::admin::output::complain;
use crate::backup::{self, Checked, Directory, Rehearsed, Stage};
use crate::config::StorageOptions;
use crate::index::Index;
use crate::postgres::embedded::{self, Cluster, EmbeddedError};
use crate::process::CommandError;

/// Prefix of the temporary directories.
const PREFIX: &str = "supercargo-check-";
/// The lock file in each of them. It gets this name after it was locked.
const LOCK: &str = "check-lock";

/// Everything a trial restore needs.
struct Temporary {
    cluster: Cluster,
    /// The cluster's directory. For root, PostgreSQL runs as another user, which has to pass through it.
    database: TempDir,
    /// The index's directory, with access for this user only: the registry may be private.
    index: TempDir,
    /// Held until both are removed. Directories without a lock were left by a killed check.
    _locks: [File; 2],
}

/// A place for a trial restore. A signal removes everything and ends the process.
pub struct Rehearsal(Arc<Mutex<Option<Temporary>>>);

impl Rehearsal {
    /// Called before any thread is started.
    pub fn prepare() -> Result<Self, CommandError> {
        let signals = Signals::block()?;
        let temporary: Arc<Mutex<Option<Temporary>>> = Arc::default();
        let shared = Arc::clone(&temporary);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let signal = signals.wait().unwrap_or(Signal::SIGTERM);
            // Locked until the process ends, so that the main thread reports no errors about the removed files.
            let mut temporary = shared.lock();
            if let Some(Err(error)) = temporary.take().map(Temporary::remove) {
                complain!("{error}");
            }
            std::process::exit(128 + signal as i32);
        })?;
        Ok(Self(temporary))
    }

    /// Restores a backup and checks the result.
    pub fn hold(
        self,
        options: &StorageOptions,
        directory: &Directory,
        checked: &Checked,
    ) -> Result<Rehearsed, CommandError> {
        let (database_url, path) = {
            // Locked while it is created, so that a signal leaves nothing behind.
            let mut temporary = self.0.lock();
            let made = temporary.insert(Temporary::make(options)?);
            (made.cluster.url(), made.index.path().join("index.git"))
        };
        let rehearsed = connect(&database_url).and_then(|mut connection| {
            let git = git_program(options);
            git.check()?;
            let index = Index::open_or_init_with(&path, git)?;
            let postgres_bin_dir = options.postgres_bin_dir.as_deref();
            let stage = Stage { database_url: &database_url, postgres_bin_dir, index: &index };
            Ok(backup::rehearse(directory, checked, &stage, &mut connection)?)
        });
        let removed = self.0.lock().take().map_or(Ok(()), Temporary::remove);
        let rehearsed = rehearsed?;
        removed?;
        Ok(rehearsed)
    }
}

impl Temporary {
    fn make(options: &StorageOptions) -> Result<Self, CommandError> {
        let temporary = tempfile::env::temp_dir();
        let impossible = |reason: &dyn Display| {
            CommandError::new(format!(
                "cannot restore the backup for a trial in {}: {reason}: set TMPDIR to another directory, or use \
                 --checksums-only, which needs none",
                temporary.display()
            ))
        };
        remove_left_behind(&temporary);
        let (database, database_lock) = temporary_directory(&temporary).map_err(|error| impossible(&error))?;
        let (index, index_lock) = temporary_directory(&temporary).map_err(|error| impossible(&error))?;
        fs::set_permissions(database.path(), PermissionsExt::from_mode(0o711))?;
        let cluster = Cluster::start(&embedded::Options {
            data_dir: database.path().to_owned(),
            postgres_bin_dir: options.postgres_bin_dir.clone(),
            os_user: options.postgres_user.clone(),
            throwaway: true,
        });
        let cluster = cluster.map_err(|error| match &error {
            // The remedies of these errors name the data directory, which is not used here.
            EmbeddedError::ClosedDirectory { directory, user, .. } => impossible(&format!(
                "the directory {} is closed to the user {user}, who is to run PostgreSQL",
                directory.display()
            )),
            EmbeddedError::Directory { action, path, reason } => {
                impossible(&format!("cannot {action} {}: {reason}", path.display()))
            }
            error => impossible(error),
        })?;
        Ok(Self { cluster, database, index, _locks: [database_lock, index_lock] })
    }

    fn remove(self) -> Result<(), CommandError> {
        self.cluster.stop()?;
        self.database.close()?;
        Ok(self.index.close()?)
    }
}

/// Creates a directory with mode 0700 and its lock.
fn temporary_directory(temporary: &Path) -> io::Result<(TempDir, File)> {
    // The library would derive the mode from the umask.
    let private = PermissionsExt::from_mode(0o700);
    let directory = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(temporary)?;
    let unlocked = directory.path().join("check-lock.new");
    let locked = File::create_new(&unlocked)?;
    locked.try_lock()?;
    fs::rename(&unlocked, directory.path().join(LOCK))?;
    Ok((directory, locked))
}

/// Removes the directories of killed checks of the same user, each with a copy of a database. Failures are only logged.
fn remove_left_behind(temporary: &Path) {
    let Ok(entries) = fs::read_dir(temporary) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        let is_own =
            entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw());
        let Some(_lock) = is_own.then(|| lock_left_behind(&path)).flatten() else { continue };
        match fs::remove_dir_all(&path) {
            Ok(()) => {
                tracing::info!(directory = %path.display(), "removed the temporary directory of a killed backup check")
            }
            Err(error) => {
                tracing::warn!(directory = %path.display(), %error, "cannot remove the temporary directory of a killed backup check");
            }
        }
    }
}

/// Locks the directory of a killed check; None if the check still runs.
fn lock_left_behind(directory: &Path) -> Option<File> {
    let file = OpenOptions::new().write(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(directory.join(LOCK)).ok()?;
    file.try_lock().is_ok().then_some(file)
}
