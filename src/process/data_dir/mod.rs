//! The data directory: creation, the lock of the process that serves it, and the marker of an unfinished restore.

pub(crate) mod lock_holders;
pub(crate) mod permissions;

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::time::{Duration, Instant};

use self::lock_holders::name_of;
use super::{CommandError, hardening};
use crate::config::StorageOptions;
use crate::config::storage::DataDir;
use crate::full_disk;

/// How long to wait for a command that holds the lock briefly.
const PATIENCE: Duration = Duration::from_secs(3);
const RETRY_EVERY: Duration = Duration::from_millis(50);

/// The exclusive lock of the data directory, released when it is dropped or the process ends.
pub struct DataDirLock(#[expect(dead_code, reason = "the open file holds the lock")] File);

/// Creates the directory with mode 0700 if it does not exist. `postgres::embedded` later grants passage to the user that
/// runs the embedded PostgreSQL, if that is another one.
pub fn create(data_dir: &DataDir) -> Result<(), CommandError> {
    let path = data_dir.path();
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_parents(parent).map_err(|error| unusable(data_dir, error))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(unusable(data_dir, error)),
        _ => Ok(()),
    }
}

/// Creates the directories above with the umask that the process was started with: the user that runs the embedded
/// PostgreSQL has to pass through them.
fn create_parents(parent: &std::path::Path) -> std::io::Result<()> {
    if parent.as_os_str().is_empty() || parent.is_dir() {
        return Ok(());
    }
    if let Some(above) = parent.parent() {
        create_parents(above)?;
    }
    match std::fs::create_dir(parent) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && parent.is_dir() => Ok(()),
        made => made.and_then(|()| std::fs::set_permissions(parent, Permissions::from_mode(hardening::usual_mode()))),
    }
}

/// Creates the directory for a restore, with a marker that the restore is unfinished. Refuses one that is not empty.
pub fn create_empty(data_dir: &DataDir) -> Result<(), CommandError> {
    let path = data_dir.path();
    refuse_half_restored(data_dir)?;
    create(data_dir)?;
    for entry in std::fs::read_dir(path).map_err(|error| unusable(data_dir, error))? {
        let name = entry?.file_name();
        if !stays(&name) {
            return Err(CommandError::new(format!(
                "the data directory {} is not empty (it contains {}): move that away, or choose an empty directory with \
                 --data-dir",
                path.display(),
                name.display()
            )));
        }
    }
    File::create_new(data_dir.restoring_file())?.sync_all()?;
    Ok(File::open(path)?.sync_all()?)
}

/// Refuses a directory with something in it, for a registry that removes its directory at the end.
pub fn refuse_to_remove(data_dir: &DataDir) -> Result<(), CommandError> {
    let path = data_dir.path();
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| unusable(data_dir, error))?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if name != DataDir::CONFIGURATION {
            return Err(CommandError::new(format!(
                "--throwaway removes the data directory at the end, and {} is not empty (it contains {}): choose an empty directory with \
                 --data-dir",
                path.display(),
                name.display()
            )));
        }
    }
    Ok(())
}

/// Whether a file may be in the directory before a restore: the operator's configuration, or a part of the file system.
fn stays(name: &std::ffi::OsStr) -> bool {
    name == DataDir::CONFIGURATION || name == "lost+found"
}

/// Refuses the directory of an unfinished restore.
pub fn refuse_half_restored(data_dir: &DataDir) -> Result<(), CommandError> {
    if !data_dir.restoring_file().exists() {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "the restore into {} did not finish: remove the directory, empty the database if it is an external one, and \
         restore again",
        data_dir.path().display()
    )))
}

/// Removes everything that a failed restore created.
pub fn clear(data_dir: &DataDir) -> Result<(), CommandError> {
    for entry in std::fs::read_dir(data_dir.path())? {
        let entry = entry?;
        let path = entry.path();
        if stays(&entry.file_name()) {
            continue;
        }
        if entry.file_type()?.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    Ok(())
}

/// Removes the marker of the unfinished restore.
pub fn finish_restore(data_dir: &DataDir) -> Result<(), CommandError> {
    std::fs::remove_file(data_dir.restoring_file())?;
    Ok(File::open(data_dir.path())?.sync_all()?)
}

fn unusable(data_dir: &DataDir, error: std::io::Error) -> CommandError {
    let path = data_dir.path().display();
    CommandError::while_doing(format!("cannot use the data directory {path} (choose another with --data-dir)"), error)
}

/// Puts it first if an error has a full disk behind it, because the words of the program that met it can be many.
pub fn name_full_disk(options: &StorageOptions, error: CommandError) -> CommandError {
    let text = error.to_string();
    match options.data_dir() {
        Ok(data_dir) if full_disk::is_named_in(&text) && !text.starts_with("no space is left") => {
            let directory = data_dir.path().display();
            CommandError::new(format!(
                "no space is left for {directory}: free some space on its disk, or choose another directory with \
                 --data-dir: {text}"
            ))
        }
        _ => error,
    }
}

/// Locks the directory, with a short wait for another command.
pub fn lock(data_dir: &DataDir) -> Result<DataDirLock, CommandError> {
    let mut file = open_lock_file(data_dir)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                file.rewind()?;
                file.write_all(std::process::id().to_string().as_bytes())?;
                return Ok(DataDirLock(file));
            }
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(RETRY_EVERY),
            Err(TryLockError::WouldBlock) => return Err(in_use(data_dir, &file)),
            Err(TryLockError::Error(error)) => return Err(unusable(data_dir, error)),
        }
    }
}

/// Opens the lock file with mode 0600, because every user who can open it can lock it. Older versions created it readable
/// for all.
fn open_lock_file(data_dir: &DataDir) -> Result<File, CommandError> {
    let path = data_dir.lock_file();
    let is_new = !path.exists();
    let mut open = OpenOptions::new();
    let opened = open.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = opened.map_err(|error| unusable(data_dir, error))?;
    let found = file.metadata()?;
    if found.uid() == nix::unistd::geteuid().as_raw() && found.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    if is_new && nix::unistd::geteuid().is_root() {
        // Root may run a command on the directory of another user, who has to be able to lock it afterwards.
        let directory = std::fs::metadata(data_dir.path())?;
        fchown(&file, Some(directory.uid()), Some(directory.gid()))?;
    }
    Ok(file)
}

/// The error for a lock that is held, with the holder from the kernel: the number in the file may be outdated.
fn in_use(data_dir: &DataDir, file: &File) -> CommandError {
    let directory = data_dir.path().display();
    let me = nix::unistd::geteuid();
    let owner = file.metadata().map_or(me.as_raw(), |found| found.uid());
    CommandError::new(match lock_holders::of(file).as_slice() {
        [] => format!(
            "the data directory {directory} is in use by a process in another container or on another machine: stop it \
             first, or choose another with --data-dir"
        ),
        holders => match holders.iter().find(|holder| ![owner, me.as_raw(), 0].contains(&holder.uid)) {
            Some(stranger) => format!(
                "process {} ({}) of the user {} holds the lock {} of the data directory {directory}: end that process and \
                 start again; other users can no longer open the lock file",
                stranger.pid,
                stranger.program,
                name_of(stranger.uid),
                data_dir.lock_file().display()
            ),
            None => format!(
                "the data directory {directory} is in use by process {} ({}): stop it first, or choose another with \
                 --data-dir",
                holders[0].pid, holders[0].program
            ),
        },
    })
}
