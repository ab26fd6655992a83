//! The throw-away database and index in which `backup --check` restores a backup on trial.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use nix::sys::signal::Signal;
use parking_lot::Mutex;
use tempfile::TempDir;

use super::CommandError;
use super::signals::Signals;
use super::storage::{connect, git_program};
use crate::admin::output::complain;
use crate::backup::{self, Checked, Directory, Rehearsed, Stage};
use crate::config::StorageOptions;
use crate::database::embedded::{self, Cluster};
use crate::index::Index;

/// What is made for a rehearsal, and goes after it.
struct ThrowAway {
    cluster: Cluster,
    /// The cluster's directory. As root, PostgreSQL runs as another user, who has to pass through.
    database: TempDir,
    /// The index's, for this process alone: it may be that of a private registry.
    index: TempDir,
}

/// Where a rehearsal can be held. A signal ends the process, after everything that was made for it is gone.
pub(super) struct Rehearsal(Arc<Mutex<Option<ThrowAway>>>);

impl Rehearsal {
    /// To be called before any thread is started.
    pub(super) fn prepare() -> Result<Self, CommandError> {
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
    pub(super) fn hold(
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
        // The library would leave the mode to the umask.
        let private = || PermissionsExt::from_mode(0o700);
        let new = || tempfile::Builder::new().prefix("supercargo-check-").permissions(private()).tempdir();
        let (database, index) = (new()?, new()?);
        std::fs::set_permissions(database.path(), PermissionsExt::from_mode(0o711))?;
        let cluster = Cluster::start(&embedded::Options {
            data_dir: database.path().to_owned(),
            postgres_bin_dir: options.postgres_bin_dir.clone(),
            os_user: options.postgres_user.clone(),
            throwaway: true,
        });
        let cluster = cluster.map_err(|error| {
            CommandError::new(format!(
                "the backup cannot be restored on trial in {}: {error}. TMPDIR names another directory for that, and \
                 `--checksums-only` checks the backup without it",
                database.path().parent().unwrap_or(database.path()).display()
            ))
        })?;
        Ok(Self { cluster, database, index })
    }

    fn remove(self) -> Result<(), CommandError> {
        self.cluster.stop()?;
        self.database.close()?;
        Ok(self.index.close()?)
    }
}
