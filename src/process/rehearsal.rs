//! The throw-away database and index in which `backup --check` restores a backup on trial.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::{Flock, FlockArg, OFlag};
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

/// What the names of throw-away directories begin with.
const PREFIX: &str = "supercargo-check-";
/// The file in each that its process locks. It has this name only once it is locked.
const LOCK: &str = "check-lock";

/// What is made for a rehearsal, and goes after it.
struct ThrowAway {
    cluster: Cluster,
    /// The cluster's directory. As root, PostgreSQL runs as another user, who has to pass through.
    database: TempDir,
    /// The index's, for this process alone: it may be that of a private registry.
    index: TempDir,
    /// Held until both are removed, so that another check can tell them from those that a killed one left.
    _locks: [Flock<File>; 2],
}

/// Where a rehearsal can be held. A signal ends the process, after everything that was made for it is gone.
pub struct Rehearsal(Arc<Mutex<Option<ThrowAway>>>);

impl Rehearsal {
    /// To be called before any thread is started.
    pub fn prepare() -> Result<Self, CommandError> {
        let signals = Signals::block()?;
        let throw_away: Arc<Mutex<Option<ThrowAway>>> = Arc::default();
        let shared = Arc::clone(&throw_away);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let signal = signals.wait().unwrap_or(Signal::SIGTERM);
            // Locked until the process ends, so that the other thread says nothing of what was taken from it.
            let mut throw_away = shared.lock();
            if let Some(Err(error)) = throw_away.take().map(ThrowAway::remove) {
                complain!("{error}");
            }
            std::process::exit(128 + signal as i32);
        })?;
        Ok(Self(throw_away))
    }

    /// Restores a backup on trial.
    pub fn hold(
        self,
        options: &StorageOptions,
        directory: &Directory,
        checked: &Checked,
    ) -> Result<Rehearsed, CommandError> {
        let (database_url, path) = {
            // Locked while it is made, or a signal would leave what there is of it.
            let mut throw_away = self.0.lock();
            let made = throw_away.insert(ThrowAway::make(options)?);
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
        let removed = self.0.lock().take().map_or(Ok(()), ThrowAway::remove);
        let rehearsed = rehearsed?;
        removed?;
        Ok(rehearsed)
    }
}

impl ThrowAway {
    fn make(options: &StorageOptions) -> Result<Self, CommandError> {
        let temporary = tempfile::env::temp_dir();
        let impossible = |reason: &dyn Display| {
            CommandError::new(format!(
                "the backup cannot be restored on trial in {}: {reason}: name another directory with TMPDIR; \
                 --checksums-only needs none",
                temporary.display()
            ))
        };
        remove_left_behind(&temporary);
        let (database, database_lock) = throw_away_directory(&temporary).map_err(|error| impossible(&error))?;
        let (index, index_lock) = throw_away_directory(&temporary).map_err(|error| impossible(&error))?;
        fs::set_permissions(database.path(), PermissionsExt::from_mode(0o711))?;
        let cluster = Cluster::start(&embedded::Options {
            data_dir: database.path().to_owned(),
            postgres_bin_dir: options.postgres_bin_dir.clone(),
            os_user: options.postgres_user.clone(),
            throwaway: true,
        });
        let cluster = cluster.map_err(|error| match &error {
            // Its own remedy would be another data directory, which is not where the trial is.
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

/// A directory for this process alone, and the lock of it.
fn throw_away_directory(temporary: &Path) -> io::Result<(TempDir, Flock<File>)> {
    // The library would leave the mode to the umask.
    let private = PermissionsExt::from_mode(0o700);
    let directory = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(temporary)?;
    let unlocked = directory.path().join("check-lock.new");
    let locked =
        Flock::lock(File::create_new(&unlocked)?, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error)?;
    fs::rename(&unlocked, directory.path().join(LOCK))?;
    Ok((directory, locked))
}

/// Removes what killed checks of the same user left, which includes a copy of a database. What cannot be removed is
/// reported, and is no reason to stop.
fn remove_left_behind(temporary: &Path) {
    let Ok(entries) = fs::read_dir(temporary) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        let is_own =
            entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw());
        let Some(_lock) = is_own.then(|| lock_left_behind(&path)).flatten() else { continue };
        match fs::remove_dir_all(&path) {
            Ok(()) => tracing::info!(directory = %path.display(), "removed what a killed check of a backup left"),
            Err(error) => {
                tracing::warn!(directory = %path.display(), %error, "cannot remove what a killed check of a backup left");
            }
        }
    }
}

/// The lock of a directory whose process is gone; None if it still runs.
fn lock_left_behind(directory: &Path) -> Option<Flock<File>> {
    let file = OpenOptions::new().write(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(directory.join(LOCK)).ok()?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}
