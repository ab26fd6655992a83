//! Permissions of the data directory: only its owner has access.
//!
//! The umask creates files that way. A start also corrects files of older versions and files that an operator copied there.
//! The mode of the directory itself marks that as done: it is set last, so the walk through perhaps 200,000 files happens
//! once and not at every start, and an interrupted walk is repeated. The entries of the directory itself are checked at
//! every start.
//!
//! For root the mode is 0710: the group of PostgreSQL's user may pass, nobody else may read.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use super::lock_holders::name_of;
use crate::config::StorageOptions;
use crate::config::storage::DataDir;
use crate::process::CommandError;

/// The embedded PostgreSQL's directory, which sets its own permissions.
const CLUSTER: &str = "postgres";
/// Permissions of everybody except the owner.
const OTHERS: u32 = 0o077;
/// Passage for the group, which PostgreSQL's user needs.
const PASSAGE: u32 = 0o010;

/// Refuses a data directory that belongs to another user or has files of others, and removes the permissions of others.
pub fn close(data_dir: &DataDir) -> Result<(), CommandError> {
    let path = data_dir.path();
    let failed = |error| {
        CommandError::while_doing(
            format!("cannot remove other users' access to the data directory {}", path.display()),
            error,
        )
    };
    let found = fs::metadata(path).map_err(failed)?;
    let me = nix::unistd::geteuid();
    let is_own = found.uid() == me.as_raw();
    if !is_own && me.is_root() {
        // Root runs a command on the database of another user. Commands that create files were refused before.
        return Ok(());
    }
    // A directory of root, such as the root of a volume, is trusted, but its mode is not changed.
    if !is_own && found.uid() != 0 {
        let (owner, user) = (name_of(found.uid()), name_of(me.as_raw()));
        return Err(CommandError::new(format!(
            "the data directory {} belongs to the user {owner}, but this process runs as {user}: run it as {owner}, or \
             choose another directory with --data-dir",
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
        tracing::info!(data_dir = %path.display(), files = closed, "removed other users' access to the data directory");
    }
    Ok(())
}

/// Refuses root in the data directory of another user. Called first by every command that creates files: the registry of
/// that user could not read files of root.
pub fn refuse_root_in_a_directory_of_others(options: &StorageOptions) -> Result<(), CommandError> {
    let data_dir = options.data_dir()?;
    let path = data_dir.path();
    let Ok(found) = fs::metadata(path) else { return Ok(()) };
    if !nix::unistd::geteuid().is_root() || found.uid() == 0 {
        return Ok(());
    }
    let owner = name_of(found.uid());
    // sudo accepts a numeric user only after `#`.
    let for_sudo = if owner.parse::<u32>().is_ok() { format!("'#{owner}'") } else { owner.clone() };
    Err(CommandError::new(format!(
        "the data directory {} belongs to the user {owner}, and files that root makes in it could not be read by {owner}: \
         run this as {owner} (sudo -u {for_sudo} supercargo ...)",
        path.display()
    )))
}

/// Creates a crate store outside the data directory if it does not exist, and removes the permissions of others.
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
    tracing::info!(directory = %path.display(), files = closed, "removed other users' access to the crate files");
    Ok(())
}

/// Refuses files of other users in a directory that others could write to: the registry would use them as its own.
fn refuse_strangers(path: &Path, me: u32) -> Result<(), CommandError> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = fs::symlink_metadata(entry.path())?.uid();
        let is_cluster = me == 0 && name.to_string_lossy().starts_with(CLUSTER);
        if owner != me && owner != 0 && !is_cluster {
            return Err(CommandError::new(format!(
                "other users can write to the data directory {}, and {} in it belongs to the user {}: remove it, or give \
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

/// Corrects the entries of the directory and, if the directory was open to others, everything below.
fn close_entries(path: &Path, with_all_below: bool) -> io::Result<u64> {
    let mut closed = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        // PostgreSQL manages its cluster, the file system `lost+found`. A link leads to files that an operator keeps elsewhere.
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

/// Removes the permissions of others from one file; false if nothing changed, the file is gone or belongs to another user.
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
