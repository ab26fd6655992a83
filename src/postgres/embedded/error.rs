//! The errors of the embedded PostgreSQL.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::full_disk;
use crate::postgres::versions;

/// Why the cluster cannot be used. Each message holds the cause and the remedy; there is no chain of sources.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The operating system refused an operation in the data directory.
    #[error(
        "cannot {action} {} ({reason}): run supercargo as the owner of the data directory, or choose another directory \
         with --data-dir", path.display()
    )]
    Directory { action: &'static str, path: PathBuf, reason: io::Error },
    /// The disk of the data directory is full. `problem` is what failed.
    #[error(
        "no space is left for {}: free some space on its disk (a new registry needs 100 MiB), or choose another directory \
         with --data-dir: {problem}", path.display()
    )]
    DiskFull { path: PathBuf, problem: String },
    /// The process's user has no name, which `initdb` needs.
    #[error(
        "the user ID {uid} has no name in /etc/passwd, without which PostgreSQL cannot create a database: run supercargo as \
         a user with a name, add one (echo 'supercargo:x:{uid}:{gid}::/nonexistent:/usr/sbin/nologin' >> /etc/passwd, as \
         root or in the container image), or use a database server of your own with --database-url"
    )]
    NamelessUser { uid: u32, gid: u32 },
    /// As root: only its owner can pass through a directory above the cluster.
    #[error(
        "the directory {} is closed to the user {user}, who runs PostgreSQL in {} because PostgreSQL refuses to run as \
         root: choose another data directory, such as --data-dir /var/lib/supercargo, or let other users pass through \
         (chmod o+x {})", directory.display(), data_dir.display(), directory.display()
    )]
    ClosedDirectory { directory: PathBuf, user: String, data_dir: PathBuf },
    /// The named user does not exist on this machine, or cannot run PostgreSQL.
    #[error(
        "the user {name} cannot run PostgreSQL ({problem}): name an existing unprivileged user with --postgres-user, \
         or create one (useradd --system supercargo-postgres)"
    )]
    UnusableUser { name: String, problem: String },
    /// The cluster belongs to another user than the one who runs the server; PostgreSQL would refuse to start.
    #[error(
        "the database in {} belongs to the user {owner}, but would run as {user}: run supercargo as {owner}, or change \
         the owner (chown -R {user} {})", cluster.display(), cluster.display()
    )]
    ForeignCluster { cluster: PathBuf, owner: String, user: String },
    /// `<data-dir>/postgres` is in use for something else.
    #[error(
        "{} is not a PostgreSQL cluster, since it has no valid PG_VERSION file: move it away, or choose another \
         directory with --data-dir", path.display()
    )]
    NotACluster { path: PathBuf },
    /// `initdb` and `postgres` are not installed.
    #[error(
        "found no PostgreSQL server programs (initdb and postgres) in {}: install them (apt-get install postgresql), \
         or use a database server of your own with --database-url", searched.join(", ")
    )]
    NoBinaries { searched: Vec<String> },
    /// A program of PostgreSQL does not run, or does not print its version.
    #[error(
        "cannot run {} ({problem}): reinstall PostgreSQL (apt-get install --reinstall postgresql)",
        program.display()
    )]
    Program { program: PathBuf, problem: String },
    /// Another major version created the cluster, and its programs are not installed.
    #[error(
        "the database in {} was created by PostgreSQL {needed}, but the programs in {} are those of PostgreSQL {found}: {}",
        cluster.display(), found_in.display(), other_version_remedy(cluster, *needed, *found, found_in)
    )]
    OtherMajorVersion { cluster: PathBuf, needed: u32, found: u32, found_in: PathBuf },
    /// The programs of the version that created the cluster are not installed, for an upgrade.
    #[error(
        "found no server programs of PostgreSQL {major} in {}, which created the database and is needed to read it: install \
         them (apt-get install postgresql-{major}, from the former release of the distribution or from \
         apt.postgresql.org), or name their directory with --old-postgres-bin-dir", searched.join(", ")
    )]
    NoOldBinaries { major: u32, searched: Vec<String> },
    /// A new cluster would be of a version that the registry cannot use.
    #[error(
        "PostgreSQL {found} (in {}) is too old: install PostgreSQL {} or later, or name the directory of its programs with \
         --postgres-bin-dir", found_in.display(), versions::OLDEST
    )]
    TooOld { found: u32, found_in: PathBuf },
    /// `initdb` failed; what it created is removed.
    #[error("initdb could not create a database in {} ({status}). Its output:\n{output}", directory.display())]
    Initdb { directory: PathBuf, status: ExitStatus, output: String },
    /// The server exited before it accepted connections.
    #[error("PostgreSQL exited during its start ({status}). The end of its log {}:\n{tail}", log.display())]
    Exited { status: ExitStatus, log: PathBuf, tail: String },
    /// The server runs but does not become ready.
    #[error(
        "PostgreSQL accepted no connections within {seconds} seconds. The end of its log {}:\n{tail}",
        log.display()
    )]
    StartTimedOut { seconds: u64, log: PathBuf, tail: String },
    /// A server of an earlier run does not end, not even by SIGKILL.
    #[error(
        "a PostgreSQL server of an earlier run (process {pid}) still uses {} and cannot be stopped: kill it, or \
         restart the machine if its disk hangs", cluster.display()
    )]
    Unstoppable { pid: i32, cluster: PathBuf },
    /// The server is ready, but the database cannot be opened or created.
    #[error(
        "cannot open the database {database} of the embedded PostgreSQL ({problem}): see its log {}",
        log.display()
    )]
    Database { database: &'static str, problem: String, log: PathBuf },
    /// The server did not shut down in time and was killed; the next start recovers.
    #[error(
        "PostgreSQL did not shut down within {seconds} seconds and was killed; no data is lost, and the next start \
         recovers. The end of its log {}:\n{tail}", log.display()
    )]
    StoppedByForce { seconds: u64, log: PathBuf, tail: String },
    /// The operating system created no thread for the server.
    #[error("cannot start the thread that watches PostgreSQL ({reason}): raise the limit of processes (ulimit -u)")]
    Thread { reason: io::Error },
}

impl EmbeddedError {
    pub(super) fn directory(action: &'static str, path: &Path, reason: io::Error) -> EmbeddedError {
        if full_disk::is_named_in(&reason.to_string()) {
            let problem = format!("cannot {action} it: {reason}");
            return EmbeddedError::DiskFull { path: path.to_owned(), problem };
        }
        EmbeddedError::Directory { action, path: path.to_owned(), reason }
    }

    /// A program of PostgreSQL failed with this output, which can be long: a full disk comes first.
    pub(super) fn or_disk_full(self, directory: &Path, output: &str) -> EmbeddedError {
        if !full_disk::is_named_in(output) {
            return self;
        }
        EmbeddedError::DiskFull { path: directory.to_owned(), problem: self.to_string() }
    }
}

/// The command that upgrades the cluster; a downgrade is not possible.
fn other_version_remedy(cluster: &Path, needed: u32, found: u32, found_in: &Path) -> String {
    let install = format!("apt-get install postgresql-{needed}");
    if needed > found {
        return format!(
            "install PostgreSQL {needed} ({install}), or name the directory of its programs with --postgres-bin-dir; a \
             downgrade is not possible"
        );
    }
    // The cluster is in the data directory.
    let data_dir = cluster.parent().unwrap_or(cluster).display();
    format!(
        "upgrade the database with `supercargo database upgrade --data-dir {data_dir} --postgres-bin-dir {}`, which needs the \
         programs of PostgreSQL {needed} as well ({install}, or --old-postgres-bin-dir), or continue with PostgreSQL {needed}",
        found_in.display()
    )
}
