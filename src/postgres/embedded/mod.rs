//! The private PostgreSQL cluster: what `serve` uses when it is given no database URL.
//!
//! The cluster lives in `<data-dir>/postgres`, and the directory is everything there is to know about it: whoever
//! holds it can start a server on it again, with or without this program.
//!
//! **Who may connect.** The user of this process, and root: the server asks the kernel who connects (`peer`), see
//! `access.rs`. There is no TCP listener, and the socket lies in the cluster directory itself, which only its owner (and
//! root) can enter; PostgreSQL refuses to start on a data directory that others can enter. Should somebody set
//! `listen_addresses` after all, `pg_hba.conf` rejects every host.
//!
//! **Whose child the server is.** A supervisor thread forks it and lives as long as it does, since the kernel ties
//! the parent-death signal to the *thread* that forked. However this process ends, `kill -9` included, the kernel
//! sends SIGINT to the server, which is PostgreSQL's clean fast shutdown. A server that dies by itself is started
//! again. It has a process group of its own, so that Ctrl-C on a terminal reaches only us, and the requests that are
//! being answered keep their database until they are done.
//!
//! **What a start may find.** An unfinished `initdb` is in `postgres.new`, never in `postgres`, which appears by a
//! rename when it is complete. A server left by a killed owner is shutting down; it is waited for, and stopped when
//! it doesn't end. Lock files may name a process number that now belongs to somebody else (after a reboot, or in a
//! new container, that is common): a process is ours only when it is a `postgres` whose working directory is the
//! cluster, and no other process is ever signalled. Backends that outlived a killed server hold the shared memory;
//! PostgreSQL refuses to start beside them, and is tried again until they are gone.
//!
//! Two owners of one data directory are kept apart by the caller, with a lock, before it comes here.

mod access;
mod account;
pub(super) mod binaries;
mod child;
mod creation;
mod deadline;
mod error;
mod pid_file;
mod postmaster;
mod predecessor;
mod registry_database;
mod server_log;
mod settings;
mod socket;
mod supervisor;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::embedded::account::Account;
use super::embedded::binaries::Binaries;
use super::embedded::pid_file::{PidFile, Status};
use super::embedded::postmaster::Launch;
use super::embedded::server_log::ServerLog;
use super::embedded::socket::Socket;
use super::embedded::supervisor::Supervisor;

pub use super::embedded::error::EmbeddedError;

/// How long [`attach`] waits for a server that is starting.
const ATTACH_LIMIT: Duration = Duration::from_secs(30);

/// Where the cluster lives and what runs it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The registry's data directory, which exists. The cluster is its subdirectory `postgres`, the server's log its
    /// file `postgres.log`. Started as root, it is opened to the group of the user who runs the server, for passing
    /// through (mode 0710).
    pub data_dir: PathBuf,
    /// The directory of `initdb` and `postgres`. Without it they are looked for on PATH, in
    /// `/usr/lib/postgresql/*/bin` and in `/usr/pgsql-*/bin`, and an existing cluster gets those of its own version.
    pub postgres_bin_dir: Option<PathBuf>,
    /// Who runs the server when this process is root; PostgreSQL refuses to run as root. Without it the owner of an
    /// existing cluster, and for a new one `postgres` or else `nobody`. Not used when this process isn't root.
    pub os_user: Option<String>,
    /// Nothing is flushed to disk: quick, and lost at a power failure. For tests and `supercargo with` only.
    pub throwaway: bool,
}

/// A running cluster. Dropping it stops the server, as [`Cluster::stop`] does, and logs a failure to do so.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    supervisor: Supervisor,
}

impl Cluster {
    /// Starts the server, making the cluster first if there is none, and returns when the database `supercargo`
    /// accepts connections. The caller holds the lock of the data directory.
    ///
    /// # Errors
    ///
    /// Whatever keeps the server from running, each with what to do about it; see [`EmbeddedError`]. Nothing is left
    /// running then.
    pub fn start(options: &Options) -> Result<Cluster, EmbeddedError> {
        let data_dir = canonical(&options.data_dir)?;
        let cluster = cluster_dir(&data_dir);
        let existing = creation::existing(&cluster)?;
        let binaries = Binaries::find(
            options.postgres_bin_dir.as_deref(),
            existing.as_ref().map(|existing| existing.major),
            &cluster,
        )?;
        let account = Account::choose(options.os_user.as_deref(), existing.as_ref(), &cluster)?;
        if let Some(account) = &account {
            account.let_through(&data_dir)?;
            account.check_passage(&data_dir)?;
        }
        if existing.is_none() {
            creation::create(&data_dir, &binaries, account.as_ref(), options.throwaway)?;
        }
        access::write(&cluster, account.as_ref(), existing.is_none())?;
        let socket = Socket::of(&cluster)?;
        let supervisor = Supervisor::start(Launch {
            binaries,
            account,
            log: ServerLog::of(&data_dir),
            cluster,
            throwaway: options.throwaway,
        })?;
        registry_database::ensure(&socket)?;
        Ok(Cluster { url: socket.url(registry_database::NAME), supervisor })
    }

    /// Where libpq and Diesel connect: `postgresql:///supercargo?host=…`. Valid in this process only when the data
    /// directory's path is too long for a socket address; another process gets its own with [`attach`].
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Ends all connections, lets the server write everything down, and waits for its end: some 30 seconds at most,
    /// then by force.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError::StoppedByForce`] when it had to be killed. No data is lost by it; the next start recovers.
    pub fn stop(mut self) -> Result<(), EmbeddedError> {
        self.supervisor.stop()
    }
}

/// The URL of the running cluster in `data_dir`, whoever started it; `None` when there is none or it doesn't run. A
/// server that is just starting is waited for.
///
/// # Errors
///
/// [`EmbeddedError::Directory`] when the cluster can't be looked into, most often because it belongs to another user.
pub fn attach(data_dir: &Path) -> Result<Option<String>, EmbeddedError> {
    let cluster = cluster_dir(&canonical(data_dir)?);
    let mut failure = None;
    let ready = deadline::until(ATTACH_LIMIT, || match PidFile::of_postmaster(&cluster) {
        Err(error) => {
            failure = Some(error);
            Some(false)
        }
        Ok(Some(file)) if file.is_ours(&cluster) => match file.status {
            Status::Ready => Some(true),
            Status::Starting => None,
            Status::Stopping => Some(false),
        },
        Ok(_) => Some(false),
    });
    match (failure, ready) {
        (Some(error), _) => Err(error),
        (None, Some(true)) => Ok(Some(Socket::of(&cluster)?.url(registry_database::NAME))),
        (None, _) => Ok(None),
    }
}

/// What the server of the private cluster in `data_dir` said last; None if there is no private cluster.
pub fn last_words(data_dir: &Path) -> Option<String> {
    cluster_dir(data_dir).is_dir().then(|| ServerLog::of(data_dir).tail(0))
}

fn cluster_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres")
}

fn canonical(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    data_dir.canonicalize().map_err(|reason| EmbeddedError::directory("open", data_dir, reason))
}
