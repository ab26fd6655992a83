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
