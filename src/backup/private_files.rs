//! Files and directories that only their owner may read, and their synchronisation to the disk.
//!
//! Dumps hold the hashes of tokens, and crates can be private.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::error::BackupError;

/// Creates a directory and its parents, if they do not exist.
pub(super) fn create_directory(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(BackupError::file("create", path))
}

pub(super) fn create_file(path: &Path) -> Result<File, BackupError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    created.map_err(BackupError::file("create", path))
}

pub(super) fn remove_if_exists(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BackupError::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Waits until a file or directory is on the disk.
pub(super) fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(BackupError::file("write", path))
}

/// The names in a directory.
pub(super) fn list(path: &Path) -> Result<Vec<String>, BackupError> {
    fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect())
        .map_err(BackupError::file("list", path))
}
