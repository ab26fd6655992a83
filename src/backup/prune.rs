//! Removal of old backups.

use std::collections::HashSet;
use std::fs;

use super::directory::Directory;
use super::error::BackupError;
use super::manifest::{self, Manifest};
use super::private_files::{list, sync};
use crate::package::Checksum;

/// What was removed.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    pub backups: Vec<String>,
    pub files: usize,
}

/// Removes the oldest backups, so that `keep` remain, and the crate files that none of the remaining ones needs. If the list
/// of a remaining backup cannot be read, nothing is removed: its files would be.
pub(super) fn prune(directory: &Directory, keep: usize) -> Result<Pruned, BackupError> {
    let mut names = directory.names()?;
    let kept = names.split_off(names.len().saturating_sub(keep));
    let mut needed: HashSet<Checksum> = HashSet::new();
    for name in &kept {
        let manifest = Manifest::read(directory, name)?;
        needed.extend(manifest::needed(directory, &manifest)?.into_iter().map(|(checksum, _)| checksum));
    }
    for name in &names {
        let (path, removed) = (directory.backup(name), directory.unfinished(name));
        fs::rename(&path, &removed).map_err(BackupError::file("remove", &path))?;
        sync(directory.path())?;
        fs::remove_dir_all(&removed).map_err(BackupError::file("remove", &removed))?;
    }
    let files = remove_files(directory, |checksum| !needed.contains(&checksum))?;
    Ok(Pruned { backups: names, files })
}

fn remove_files(directory: &Directory, is_unneeded: impl Fn(Checksum) -> bool) -> Result<usize, BackupError> {
    let mut removed = 0;
    let root = directory.crates();
    for directory in list(&root)? {
        let directory = root.join(directory);
        for name in list(&directory)? {
            let checksum = name.strip_suffix(".crate").and_then(|name| name.parse().ok());
            // Any other name is that of a copy whose backup was killed.
            if checksum.is_none_or(&is_unneeded) {
                let path = directory.join(name);
                fs::remove_file(&path).map_err(BackupError::file("remove", &path))?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
