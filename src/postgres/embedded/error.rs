//! What can keep the private cluster from running.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why the private cluster can't be used. Each text is complete in itself, with the cause and the remedy; there is no
/// chain of sources behind it.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The operating system refused something in the data directory.
    #[error(
        "cannot {action} {}: {reason}; supercargo needs a data directory that it can read and write: run it as the \
         directory's owner, or choose another directory with --data-dir", path.display()
    )]
    Directory { action: &'static str, path: PathBuf, reason: io::Error },
    /// As root: a directory on the way to the cluster lets nobody pass but its owner.
    #[error(
        "the directory {} is closed to the user {user}, who is to run PostgreSQL in {}, because PostgreSQL refuses to \
         run as root; choose a data directory elsewhere, such as --data-dir /var/lib/supercargo, or let others pass: \
         chmod o+x {}", directory.display(), data_dir.display(), directory.display()
    )]
    ClosedDirectory { directory: PathBuf, user: String, data_dir: PathBuf },
    /// The named user doesn't exist on this machine, or can't run PostgreSQL.
    #[error(
        "the user {name} cannot run PostgreSQL: {problem}; name an existing unprivileged user, or create one: \
         useradd --system supercargo"
    )]
    UnusableUser { name: String, problem: String },
    /// The cluster belongs to somebody else than who is to run it; PostgreSQL would refuse to start.
    #[error(
        "the database in {} belongs to {owner}, but {user} is to run it; run supercargo as the owner, or give the \
         directory away: chown -R {user} {}", cluster.display(), cluster.display()
    )]
    ForeignCluster { cluster: PathBuf, owner: String, user: String },
    /// `<data-dir>/postgres` is in use for something else.
    #[error(
        "{} is not a PostgreSQL cluster (it has no readable PG_VERSION file); move it away, or choose another \
         directory with --data-dir", path.display()
    )]
    NotACluster { path: PathBuf },
    /// No `initdb` and `postgres` anywhere.
    #[error(
        "found no PostgreSQL server programs (initdb and postgres) in {}; install them: apt-get install postgresql. \
         Or use a database server of your own with --database-url", searched.join(", ")
    )]
    NoBinaries { searched: Vec<String> },
    /// A program of PostgreSQL doesn't run, or doesn't say what it is.
    #[error("cannot run {}: {problem}; install PostgreSQL again: apt-get install --reinstall postgresql", program.display())]
    Program { program: PathBuf, problem: String },
    /// The cluster was made by another major version, and those programs aren't installed.
    #[error(
        "the database in {} was made by PostgreSQL {wanted}, but only PostgreSQL {found} is installed (in {}). {}",
        cluster.display(), found_in.display(), other_version_remedy(cluster, *wanted, *found, found_in)
    )]
    OtherMajorVersion { cluster: PathBuf, wanted: u32, found: u32, found_in: PathBuf },
    /// `initdb` failed; nothing of its work is left.
    #[error("initdb could not create a database in {} ({status}). It said:\n{output}", directory.display())]
    Initdb { directory: PathBuf, status: ExitStatus, output: String },
    /// The server ended before it accepted connections.
    #[error("PostgreSQL ended while starting ({status}). Its log {} ends with:\n{tail}", log.display())]
    Exited { status: ExitStatus, log: PathBuf, tail: String },
    /// The server runs but doesn't get ready.
    #[error("PostgreSQL accepted no connections within {seconds} seconds. Its log {} ends with:\n{tail}", log.display())]
    StartTimedOut { seconds: u64, log: PathBuf, tail: String },
    /// A server that an earlier owner left on this cluster doesn't end, not even by SIGKILL.
    #[error(
        "a PostgreSQL server from an earlier run (process {pid}) still uses {} and cannot be stopped; end it, or \
         restart the machine if its disk hangs", cluster.display()
    )]
    Unstoppable { pid: i32, cluster: PathBuf },
    /// The server says it is ready, but the database can't be opened or created.
    #[error("cannot open the database {database} of the private PostgreSQL: {problem}; see its log {}", log.display())]
    Database { database: &'static str, problem: String, log: PathBuf },
    /// The server didn't shut down in time and was killed; the next start recovers.
    #[error(
        "PostgreSQL did not shut down within {seconds} seconds and was stopped by force; nothing is lost, the next \
         start recovers. Its log {} ends with:\n{tail}", log.display()
    )]
    StoppedByForce { seconds: u64, log: PathBuf, tail: String },
    /// The operating system gave no thread to watch the server.
    #[error("cannot start the thread that watches PostgreSQL: {reason}; raise the limit of processes (ulimit -u)")]
    Thread { reason: io::Error },
}

impl EmbeddedError {
    pub(super) fn directory(action: &'static str, path: &Path, reason: io::Error) -> EmbeddedError {
        EmbeddedError::Directory { action, path: path.to_owned(), reason }
    }
}

/// PostgreSQL upgrades a cluster with the programs of both versions at hand, and never downgrades one.
fn other_version_remedy(cluster: &Path, wanted: u32, found: u32, found_in: &Path) -> String {
    let install = format!("apt-get install postgresql-{wanted}");
    if wanted > found {
        return format!("Install the version it was made by, as there is no way back to an older one: {install}");
    }
    let (old, new) = (cluster.display(), found_in.display());
    // Since 18 initdb turns checksums on, and pg_upgrade wants both clusters alike.
    let checksums = if found >= 18 { " --no-data-checksums" } else { "" };
    format!(
        "Either install the version it was made by: {install}. Or upgrade it, with both versions installed and \
         supercargo stopped:\n\
         1. mkdir -m 700 {old}.upgraded && chown --reference={old} {old}.upgraded\n\
         2. as the user who owns {old}, in a directory that user may write to, such as /tmp:\n   \
         echo 'local all all trust' > {old}/pg_hba.conf\n   \
         {new}/initdb -U supercargo -E UTF8 --locale=C --auth-local=trust --auth-host=reject{checksums} -D {old}.upgraded\n   \
         {new}/pg_upgrade -U supercargo -b /usr/lib/postgresql/{wanted}/bin -B {new} -d {old} -D {old}.upgraded\n\
         3. mv {old} {old}.{wanted} && mv {old}.upgraded {old}"
    )
}
