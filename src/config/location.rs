//! Path of the configuration file.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::storage::{DataDir, default_data_dir};

/// The file that is read if there is none in the data directory.
pub(super) const SYSTEM_FILE: &str = "/etc/supercargo/supercargo.toml";

/// The file that a command reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    Named(PathBuf),
    DataDirectory(PathBuf),
    System(PathBuf),
}

impl Location {
    pub fn path(&self) -> &Path {
        match self {
            Self::Named(path) | Self::DataDirectory(path) | Self::System(path) => path,
        }
    }
}

/// Finds the file: the named one, or the first one that exists. There is only one; files are not merged.
pub(super) fn find(given: &ArgMatches, system_file: &Path) -> Result<Option<Location>, (PathBuf, Error)> {
    let absolute = |path: PathBuf| std::path::absolute(&path).map_err(|error| (path, error));
    if let Some(named) = given.get_one::<PathBuf>("config") {
        return absolute(named.clone()).map(|path| Some(Location::Named(path)));
    }
    // Without a data directory, the system's file may name one.
    if let Some(data_dir) = given.get_one::<PathBuf>("data_dir").cloned().or_else(default_data_dir) {
        let path = DataDir::new(absolute(data_dir)?).configuration();
        match exists(&path) {
            Ok(true) => return Ok(Some(Location::DataDirectory(path))),
            // A user who cannot enter the data directory cannot use it either, and reads the registry in other ways.
            Err(error) if error.kind() != ErrorKind::PermissionDenied => return Err((path, error)),
            _ => {}
        }
    }
    match exists(system_file) {
        Ok(found) => Ok(found.then(|| Location::System(system_file.to_owned()))),
        Err(error) => Err((system_file.to_owned(), error)),
    }
}

/// Whether there is something at a path, even a dangling link.
fn exists(path: &Path) -> Result<bool, Error> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}
