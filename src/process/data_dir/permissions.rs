//! Closing the data directory to other users: everything in it is for its owner alone.
//!
//! Files are made so, by the umask. What former versions made, or an operator copied there, is mended at a start. The
//! permissions of the directory itself tell whether that was done: it is closed last, so that a walk through 200,000 files
//! is made once and not at each start, and one that was interrupted is made again. What lies directly in the directory is
//! looked at each time.
//!
//! As root the directory lets the group of PostgreSQL's user pass (mode 0710), and nobody read.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use super::lock_holders::name_of;
use crate::config::StorageOptions;
use crate::config::storage::DataDir;
use crate::process::CommandError;

/// What is the private PostgreSQL's, and closed by it.
const CLUSTER: &str = "postgres";
/// Permissions of anybody but the owner.
const OTHERS: u32 = 0o077;
/// The group may pass, as PostgreSQL's user has to.
const PASSAGE: u32 = 0o010;

/// Refuses a data directory of another user, or one into which others may have put something, and closes it.
pub fn close(data_dir: &DataDir) -> Result<(), CommandError> {
    let path = data_dir.path();
    let failed = |error| {
        CommandError::while_doing(
            format!("the data directory {} can't be closed to other users", path.display()),
            error,
        )
    };
    let found = fs::metadata(path).map_err(failed)?;
    let me = nix::unistd::geteuid();
    let is_own = found.uid() == me.as_raw();
    if !is_own && me.is_root() {
        // Root works on the database of a user. Commands that make files were refused before.
        return Ok(());
    }
    // What root made, such as the top of a volume, is as good as our own, but not ours to change.
    if !is_own && found.uid() != 0 {
        let (owner, user) = (name_of(found.uid()), name_of(me.as_raw()));
        return Err(CommandError::new(format!(
            "the data directory {} belongs to the user {owner}, and this process runs as {user}: run it as {owner}, or \
             choose another with --data-dir",
            path.display()
        )));
    }
    if found.mode() & 0o022 != 0 {
        refuse_strangers(path, me.as_raw())?;
    }
    let allowed = if me.is_root() { PASSAGE } else { 0 };
    let was_open = is_own && found.mode() & OTHERS & !allowed != 0;
    let closed = close_entries(path, was_open).map_err(failed)?;
    if was_open {
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(failed)?;
    }
    if was_open || closed > 0 {
        tracing::info!(data_dir = %path.display(), files = closed, "closed the data directory to other users");
    }
    Ok(())
}

/// For root, before anything is opened by a command that may leave files: what root makes is closed to the user whom the
/// directory belongs to, whose registry could not read it.
pub fn refuse_root_in_a_directory_of_others(options: &StorageOptions) -> Result<(), CommandError> {
    let data_dir = options.data_dir()?;
    let path = data_dir.path();
    let Ok(found) = fs::metadata(path) else { return Ok(()) };
    if !nix::unistd::geteuid().is_root() || found.uid() == 0 {
        return Ok(());
    }
    let owner = name_of(found.uid());
    // sudo takes a number only with a sign before it.
    let for_sudo = if owner.parse::<u32>().is_ok() { format!("'#{owner}'") } else { owner.clone() };
    Err(CommandError::new(format!(
        "the data directory {} belongs to the user {owner}, and files that root makes in it could not be read by {owner}: \
         run this as {owner} (sudo -u {for_sudo} supercargo ...)",
        path.display()
    )))
}

/// Closes a directory of crate files somewhere else, which is made if it is not there.
pub fn close_crates(path: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::metadata(path)?;
    if found.uid() != nix::unistd::geteuid().as_raw() || found.mode() & OTHERS == 0 {
        return Ok(());
    }
    let closed = close_below(path)?;
    fs::set_permissions(path, Permissions::from_mode(found.mode() & 0o700))?;
    tracing::info!(directory = %path.display(), files = closed, "closed the crate files to other users");
    Ok(())
}

/// Others could write here: what they put there would be used as ours.
fn refuse_strangers(path: &Path, me: u32) -> Result<(), CommandError> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = fs::symlink_metadata(entry.path())?.uid();
        let is_cluster = me == 0 && name.to_string_lossy().starts_with(CLUSTER);
        if owner != me && owner != 0 && !is_cluster {
            return Err(CommandError::new(format!(
                "other users may write to the data directory {}, and {} in it belongs to the user {}: remove it, or give \
                 it to {} with chown, and start again",
                path.display(),
                name.display(),
                name_of(owner),
                name_of(me)
            )));
        }
    }
    Ok(())
}

/// What lies directly in the directory, and if it was open to others everything below as well.
fn close_entries(path: &Path, with_all_below: bool) -> io::Result<u64> {
    let mut closed = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        // The cluster is PostgreSQL's, `lost+found` the file system's. A link leads to what an operator put elsewhere.
        let is_cluster = kind.is_dir() && name.to_string_lossy().starts_with(CLUSTER);
        if kind.is_symlink() || is_cluster || name == "lost+found" {
            continue;
        }
        closed += u64::from(close_one(&entry.path())?);
        if kind.is_dir() && with_all_below {
            closed += close_below(&entry.path())?;
        }
    }
    Ok(closed)
}

fn close_below(directory: &Path) -> io::Result<u64> {
    let (mut closed, mut directories) = (0, vec![directory.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                continue;
            }
            closed += u64::from(close_one(&entry.path())?);
            if kind.is_dir() {
                directories.push(entry.path());
            }
        }
    }
    Ok(closed)
}

/// Whether it had to be closed. What vanished meanwhile is none, nor is what belongs to somebody else.
fn close_one(path: &Path) -> io::Result<bool> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => found?,
    };
    if found.mode() & OTHERS == 0 || found.file_type().is_symlink() {
        return Ok(false);
    }
    let opened: io::Result<File> =
        OpenOptions::new().read(true).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(path);
    let file = match opened {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            return Ok(false);
        }
        opened => opened?,
    };
    match file.set_permissions(Permissions::from_mode(found.mode() & 0o700)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        set => set.map(|()| true),
    }
}
