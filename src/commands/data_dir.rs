//! One process serves a data directory; the lock that says so vanishes with the process.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::CommandError;
use crate::config::storage::DataDir;

/// A command that holds the lock for a moment is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The data directory is this process's until this is dropped.
pub struct DataDirLock(#[expect(dead_code, reason = "the lock is held by being there")] Flock<File>);

/// Makes the directory if it is not there. Others may pass through it, because the private PostgreSQL may run as another
/// user, but not read it.
pub(super) fn create(data_dir: &DataDir) -> Result<(), CommandError> {
    let path = data_dir.path();
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| unusable(data_dir, error))?;
    }
    match DirBuilder::new().mode(0o711).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(unusable(data_dir, error)),
        _ => Ok(()),
    }
}

/// Makes the directory for a restore, with a mark that it is not complete. One with something in it is refused.
pub(super) fn create_empty(data_dir: &DataDir) -> Result<(), CommandError> {
    let path = data_dir.path();
    refuse_half_restored(data_dir)?;
    create(data_dir)?;
    for entry in std::fs::read_dir(path).map_err(|error| unusable(data_dir, error))? {
        let name = entry?.file_name();
        // Of a file system that begins here.
        if name != "lost+found" {
            return Err(CommandError::new(format!(
                "the data directory {} is not empty (it has {}): restore into an empty one, with --data-dir, or move that \
                 away",
                path.display(),
                name.display()
            )));
        }
    }
    File::create_new(data_dir.restoring_file())?.sync_all()?;
    Ok(File::open(path)?.sync_all()?)
}

/// What a restore that did not come to its end left must not be served.
pub(super) fn refuse_half_restored(data_dir: &DataDir) -> Result<(), CommandError> {
    if !data_dir.restoring_file().exists() {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "the restore into {} did not come to its end: remove the directory, empty the database if it is one of yours, and \
         restore again",
        data_dir.path().display()
    )))
}

/// Removes everything that a restore made before it failed.
pub(super) fn clear(data_dir: &DataDir) -> Result<(), CommandError> {
    for entry in std::fs::read_dir(data_dir.path())? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name() == "lost+found" {
            continue;
        }
        if entry.file_type()?.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    Ok(())
}

/// Takes the mark away.
pub(super) fn finish_restore(data_dir: &DataDir) -> Result<(), CommandError> {
    std::fs::remove_file(data_dir.restoring_file())?;
    Ok(File::open(data_dir.path())?.sync_all()?)
}

fn unusable(data_dir: &DataDir, error: std::io::Error) -> CommandError {
    let path = data_dir.path().display();
    CommandError::while_doing(format!("the data directory {path} can't be used; choose another with --data-dir"), error)
}

/// Locks the directory, waiting a moment.
pub(super) fn lock(data_dir: &DataDir) -> Result<DataDirLock, CommandError> {
    let path = data_dir.lock_file();
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(|error| unusable(data_dir, error))?;
    let until = Instant::now() + PATIENCE;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut locked) => {
                locked.set_len(0)?;
                locked.rewind()?;
                locked.write_all(std::process::id().to_string().as_bytes())?;
                return Ok(DataDirLock(locked));
            }
            Err((busy, Errno::EWOULDBLOCK)) if Instant::now() < until => {
                file = busy;
                std::thread::sleep(LOOK_EVERY);
            }
            Err((mut busy, Errno::EWOULDBLOCK)) => {
                let mut holder = String::new();
                busy.read_to_string(&mut holder)?;
                return Err(CommandError::new(format!(
                    "the data directory {} is in use by process {}: stop it first, or choose another with --data-dir",
                    data_dir.path().display(),
                    holder.trim(),
                )));
            }
            Err((_, error)) => return Err(unusable(data_dir, error.into())),
        }
    }
}
