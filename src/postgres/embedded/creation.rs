//! Making the cluster, once. `initdb` writes a thousand files in a second and can be killed between any two of them;
//! therefore it works in `postgres.new`, and the cluster appears under its name by one rename when it is complete.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Uid;

use super::account::Account;
use super::binaries::{Binaries, leading_number};
use super::{EmbeddedError, child, cluster_dir, deadline};

/// The superuser of the cluster, as whom the registry connects.
pub(super) const SUPERUSER: &str = "supercargo";

/// How long an `initdb` whose owner was killed may still add files to what is being removed.
const DYING_LIMIT: Duration = Duration::from_secs(5);

/// What is known of a cluster before it is started.
#[derive(Debug)]
pub(super) struct ExistingCluster {
    /// The major version of PostgreSQL that made it.
    pub(super) major: u32,
    /// The only user PostgreSQL lets run it.
    pub(super) owner: Uid,
}

/// The cluster in this directory; `None` when there is nothing, or nothing in it.
pub(super) fn existing(cluster: &Path) -> Result<Option<ExistingCluster>, EmbeddedError> {
    let unreadable = |reason| EmbeddedError::directory("read", cluster, reason);
    let owner = match fs::metadata(cluster) {
        Ok(metadata) => Uid::from_raw(metadata.uid()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    match fs::read_to_string(cluster.join("PG_VERSION")) {
        Ok(text) => match leading_number(&text) {
            Some(major) => Ok(Some(ExistingCluster { major, owner })),
            None => Err(not_a_cluster(cluster)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if fs::read_dir(cluster).map_err(unreadable)?.next().is_none() {
                return Ok(None);
            }
            Err(not_a_cluster(cluster))
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(not_a_cluster(cluster)),
        Err(error) => Err(unreadable(error)),
    }
}

/// Makes the cluster in `data_dir`.
pub(super) fn create(
    data_dir: &Path,
    binaries: &Binaries,
    account: Option<&Account>,
    throwaway: bool,
) -> Result<(), EmbeddedError> {
    let unfinished = data_dir.join("postgres.new");
    remove(&unfinished)?;
    DirBuilder::new()
        .mode(0o700)
        .create(&unfinished)
        .map_err(|reason| EmbeddedError::directory("create", &unfinished, reason))?;
    if let Some(account) = account {
        chown(&unfinished, Some(account.uid.as_raw()), Some(account.gid.as_raw()))
            .map_err(|reason| EmbeddedError::directory("give away", &unfinished, reason))?;
    }
    if let Err(error) = run_initdb(&unfinished, binaries, account, throwaway) {
        remove(&unfinished)?;
        return Err(error);
    }
    let cluster = cluster_dir(data_dir);
    fs::rename(&unfinished, &cluster).map_err(|reason| EmbeddedError::directory("create", &cluster, reason))?;
    File::open(data_dir)
        .and_then(|directory| directory.sync_all())
        .map_err(|reason| EmbeddedError::directory("flush", data_dir, reason))
}

/// The C locale sorts by bytes, and so never changes its order with an update of the C library, which would spoil
/// every index of text.
fn run_initdb(
    directory: &Path,
    binaries: &Binaries,
    account: Option<&Account>,
    throwaway: bool,
) -> Result<(), EmbeddedError> {
    let program = binaries.initdb();
    let mut command = child::command(&program, account, Signal::SIGTERM);
    command
        .args(["--username", SUPERUSER, "--encoding", "UTF8", "--locale", "C"])
        .args(["--auth-local", "peer", "--auth-host", "reject"])
        .arg("--pgdata")
        .arg(directory);
    if throwaway {
        command.arg("--no-sync");
    }
    let output = command.output().map_err(|error| EmbeddedError::Program { program, problem: error.to_string() })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(EmbeddedError::Initdb {
        directory: directory.to_owned(),
        status: output.status,
        output: String::from_utf8_lossy(&said).trim_end().to_owned(),
    })
}

/// Removes what an interrupted creation left. Its `initdb` may be dying only now and add a file to a directory that
/// was just emptied, which is tried again.
fn remove(unfinished: &Path) -> Result<(), EmbeddedError> {
    let mut failure = None;
    let removed = deadline::until(DYING_LIMIT, || match fs::remove_dir_all(unfinished) {
        Ok(()) => Some(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(true),
        Err(error) => {
            let again = error.kind() == io::ErrorKind::DirectoryNotEmpty;
            failure = Some(error);
            if again { None } else { Some(false) }
        }
    });
    match (removed, failure) {
        (Some(true), _) | (_, None) => Ok(()),
        (_, Some(reason)) => Err(EmbeddedError::directory("remove", unfinished, reason)),
    }
}

fn not_a_cluster(path: &Path) -> EmbeddedError {
    EmbeddedError::NotACluster { path: path.to_owned() }
}
