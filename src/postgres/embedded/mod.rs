//! The embedded PostgreSQL: the database server that `serve` runs when no database URL is given.
//!
//! The cluster is the directory `<data-dir>/postgres`. It holds all of its state: a server can be started on it with or
//! without this program.
//!
//! **Access.** Only the user of this process and root can connect: the server reads the user of a connection from the
//! kernel (`peer`), see `access.rs`. There is no TCP listener, and the socket is in the cluster directory, which only
//! its owner and root can enter; PostgreSQL refuses to start on a data directory that others can enter. If
//! `listen_addresses` is set all the same, `pg_hba.conf` rejects every host.
//!
//! **Lifetime.** A supervisor thread forks the server and lives as long as the server does, because the kernel ties the
//! parent-death signal to the *thread* that forked. When this process ends, also by `kill -9`, the kernel sends SIGINT
//! to the server, which is PostgreSQL's clean fast shutdown. A server that exits unexpectedly is restarted. The server
//! has a process group of its own: Ctrl-C on a terminal reaches only this process, and requests in flight keep their
//! database until they finish.
//!
//! **State found at a start.** An interrupted `initdb` leaves `postgres.new`; the complete cluster is renamed to
//! `postgres`. The server of a killed owner is shutting down: the start waits for it, and stops it when it does not
//! end. Lock files may hold a process number that another program has now, which is common after a reboot and in a new
//! container. A process is the cluster's server only when it is a `postgres` whose working directory is the cluster; no
//! other process is ever signalled. Backends of a killed server hold its shared memory, and PostgreSQL refuses to start
//! beside them: the start is retried until they are gone.
//!
//! The caller holds a lock on the data directory, which excludes a second owner.

mod access;
mod account;
mod binaries;
mod child;
mod creation;
mod deadline;
mod error;
mod existing;
mod pid_file;
mod places;
mod postmaster;
mod predecessor;
mod registry_database;
mod server_log;
mod settings;
mod socket;
mod stop_request;
mod supervisor;
mod swap;
pub mod upgrade;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::account::Account;
use self::binaries::Binaries;
use self::pid_file::{PidFile, Status};
use self::places::{canonical, cluster_dir};
use self::postmaster::Launch;
use self::server_log::ServerLog;
use self::socket::Socket;
use self::supervisor::Supervisor;

pub use self::error::EmbeddedError;

/// How long [`attach`] waits for a server that is starting.
const ATTACH_LIMIT: Duration = Duration::from_secs(30);

/// Where the cluster lives and what runs it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The registry's existing data directory. The cluster is its subdirectory `postgres`, the server's log its file
    /// `postgres.log`. For root, its mode becomes 0710, so that the group of the user who runs the server can pass
    /// through.
    pub data_dir: PathBuf,
    /// The directory of `initdb` and `postgres`. The default is the first with the cluster's version on PATH, in
    /// `/usr/lib/postgresql/*/bin` and in `/usr/pgsql-*/bin`.
    pub postgres_bin_dir: Option<PathBuf>,
    /// The user who runs the server when this process is root, because PostgreSQL refuses to run as root. The default
    /// is the owner of an existing cluster, and for a new one `postgres` or else `nobody`. Ignored without root.
    pub os_user: Option<String>,
    /// Nothing is flushed to disk: fast, but lost at a power failure. For tests and `supercargo with` only.
    pub throwaway: bool,
}

/// A running cluster. Dropping it stops the server like [`Cluster::stop`] and logs an error.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    supervisor: Supervisor,
}

impl Cluster {
    /// Starts the server, after creating the cluster if there is none, and waits until the database `supercargo`
    /// accepts connections. The caller holds the lock of the data directory.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError`] when the server cannot run. No process is left running then.
    pub fn start(options: &Options) -> Result<Cluster, EmbeddedError> {
        let data_dir = canonical(&options.data_dir)?;
        let cluster = cluster_dir(&data_dir);
        if let Some(kept) = swap::settle(&data_dir)? {
            tracing::info!("finished an upgrade of the database; the old one is kept in {}", kept.display());
        }
        let existing = existing::find(&cluster)?;
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
            creation::create(&data_dir, &cluster, &binaries, account.as_ref(), options.throwaway)?;
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

    /// The URL for libpq and Diesel: `postgresql:///supercargo?host=…`. With a data directory whose path is too long
    /// for a socket address it is valid in this process only; another process gets its own with [`attach`].
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Closes all connections and shuts the server down. Kills it if that takes longer than 30 seconds.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError::StoppedByForce`] when it was killed. No data is lost; the next start recovers.
    pub fn stop(mut self) -> Result<(), EmbeddedError> {
        self.supervisor.stop()
    }
}

/// The URL of the running cluster in `data_dir`, whichever process started it; `None` when no server runs. Waits for a
/// server that is starting.
///
/// # Errors
///
/// [`EmbeddedError::Directory`] when the cluster cannot be read, mostly because it belongs to another user.
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

/// The end of the server's log; `None` if `data_dir` holds no cluster.
pub fn last_words(data_dir: &Path) -> Option<String> {
    cluster_dir(data_dir).is_dir().then(|| ServerLog::of(data_dir).tail(0))
}
