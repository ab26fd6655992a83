//! Creation of the cluster. `initdb` writes a thousand files and can be killed between any two of them. Therefore it
//! works in `postgres.new`, which is renamed when it is complete.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User};

use super::account::Account;
use super::binaries::Binaries;
use super::error::EmbeddedError;
use super::settings::SUPERUSER;
use super::{child, deadline};

/// The time in which an `initdb` whose owner was killed may still add files to the directory that is removed.
const DYING_LIMIT: Duration = Duration::from_secs(5);

/// Creates `cluster`, a directory in `data_dir`.
pub(super) fn create(
    data_dir: &Path,
    cluster: &Path,
    binaries: &Binaries,
    account: Option<&Account>,
    throwaway: bool,
) -> Result<(), EmbeddedError> {
    refuse_nameless(account)?;
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
        return Err(match &error {
            EmbeddedError::Initdb { output, .. } => {
                let output = output.clone();
                error.or_disk_full(data_dir, &output)
            }
            _ => error,
        });
    }
    fs::rename(&unfinished, cluster).map_err(|reason| EmbeddedError::directory("create", cluster, reason))?;
    File::open(data_dir)
        .and_then(|directory| directory.sync_all())
        .map_err(|reason| EmbeddedError::directory("flush", data_dir, reason))
}

/// Refuses a user without a name, as containers can have one: `initdb` looks up its own user.
fn refuse_nameless(account: Option<&Account>) -> Result<(), EmbeddedError> {
    let uid = account.map_or_else(Uid::effective, |account| account.uid);
    match User::from_uid(uid) {
        Ok(None) => Err(EmbeddedError::NamelessUser { uid: uid.as_raw(), gid: Gid::effective().as_raw() }),
        _ => Ok(()),
    }
}

/// Runs `initdb` with the C locale, which sorts by bytes. The order of other locales can change with an update of the C
/// library, which corrupts every index of text.
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
    let printed = [output.stdout, output.stderr].concat();
    Err(EmbeddedError::Initdb {
        directory: directory.to_owned(),
        status: output.status,
        output: String::from_utf8_lossy(&printed).trim_end().to_owned(),
    })
}

/// Removes the directory of an interrupted creation. Its `initdb` may still run and add a file to a directory that was
/// just emptied; then the removal is retried.
pub(super) fn remove(unfinished: &Path) -> Result<(), EmbeddedError> {
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
