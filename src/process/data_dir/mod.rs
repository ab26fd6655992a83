//! One process serves a data directory; the lock that says so vanishes with the process.

pub(crate) mod lock_holders;
pub(crate) mod permissions;

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use self::lock_holders::name_of;
use super::{CommandError, hardening};
use crate::config::storage::DataDir;

/// A command that holds the lock for a moment is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The data directory is this process's until this is dropped.
pub struct DataDirLock(#[expect(dead_code, reason = "the lock is held by being there")] Flock<File>);

/// Makes the directory if it is not there, for its owner alone. If the private PostgreSQL runs as another user, it lets
/// that one pass: see `database::embedded`.
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

/// Directories above the data directory are not its own: the user of the private PostgreSQL has to get through, so they
/// are made by the umask that this process was started with.
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

/// Makes the directory for a restore, with a mark that it is not complete. One with something in it is refused.
pub fn create_empty(data_dir: &DataDir) -> Result<(), CommandError> {
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
pub fn refuse_half_restored(data_dir: &DataDir) -> Result<(), CommandError> {
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
pub fn clear(data_dir: &DataDir) -> Result<(), CommandError> {
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
pub fn finish_restore(data_dir: &DataDir) -> Result<(), CommandError> {
    std::fs::remove_file(data_dir.restoring_file())?;
    Ok(File::open(data_dir.path())?.sync_all()?)
}

fn unusable(data_dir: &DataDir, error: std::io::Error) -> CommandError {
    let path = data_dir.path().display();
    CommandError::while_doing(format!("the data directory {path} can't be used; choose another with --data-dir"), error)
}

/// Locks the directory, waiting a moment.
pub fn lock(data_dir: &DataDir) -> Result<DataDirLock, CommandError> {
    let mut file = open_lock_file(data_dir)?;
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
            Err((busy, Errno::EWOULDBLOCK)) => return Err(in_use(data_dir, &busy)),
            Err((_, error)) => return Err(unusable(data_dir, error.into())),
        }
    }
}

/// Opens the lock file, which is for its owner alone: who can open it can lock it. Former versions let everybody read it.
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
        // Root may help out in the directory of a user, who must be able to lock it afterwards.
        let directory = std::fs::metadata(data_dir.path())?;
        fchown(&file, Some(directory.uid()), Some(directory.gid()))?;
    }
    Ok(file)
}

/// Who holds the lock, as the kernel has it: what stands in the file could be anybody's.
fn in_use(data_dir: &DataDir, file: &File) -> CommandError {
    let directory = data_dir.path().display();
    let me = nix::unistd::geteuid();
    let owner = file.metadata().map_or(me.as_raw(), |found| found.uid());
    CommandError::new(match lock_holders::of(file).as_slice() {
        [] => format!(
            "the data directory {directory} is in use by a process that cannot be seen from here, in another container \
             or on another machine: stop it first, or choose another with --data-dir"
        ),
        holders => match holders.iter().find(|holder| ![owner, me.as_raw(), 0].contains(&holder.uid)) {
            Some(stranger) => format!(
                "process {} ({}) of the user {} locks {}, which keeps a registry from starting in {directory}: end that \
                 process, and start again. The file is closed to other users now, so it cannot be locked by them again",
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
