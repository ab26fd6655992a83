//! Copies of crate files in a directory of backups.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::directory::Directory;
use super::error::BackupError;
use super::manifest::Problem;
use super::private_files::{create_directory, remove_if_exists, sync};
use super::progress::Progress;
use crate::crate_store::CrateStore;
use crate::database::upkeep::backup::NeededFile;
use crate::fault;
use crate::package::Checksum;

const MISSING: &str = "it is missing in the crate store";

/// The extension of a file that is being copied.
const COPYING: &str = "copying";

/// The result of copying the files of one backup.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Files that no earlier backup has, and their bytes.
    pub added: (u64, u64),
    /// How many of them are links to files of the store.
    pub linked: u64,
    pub problems: Vec<Problem>,
}

/// Copies every needed file. A file that already exists with the right size is not read again.
pub(super) fn gather(
    store: &CrateStore,
    directory: &Directory,
    needed: &[NeededFile],
) -> Result<Gathered, BackupError> {
    let total = needed.iter().map(size_of).sum();
    let progress = Progress::of_bytes("crate files", total);
    let (mut gathered, mut touched) = (Gathered::default(), BTreeSet::new());
    for file in needed {
        let path = directory.crate_file(file.checksum);
        if fs::metadata(&path).is_ok_and(|found| found.len() == size_of(file)) {
            progress.advance(size_of(file));
            continue;
        }
        let parent = path.parent().unwrap_or(directory.path()).to_owned();
        create_directory(&parent)?;
        match add(store, file.checksum, &path)? {
            // Its set has ended, or has another file, since the backup began.
            Added::Problem(problem) if file.is_staged && problem == MISSING => {}
            Added::Problem(problem) => gathered.problems.push(Problem {
                checksum: file.checksum,
                version: format!("{}@{}", file.name, file.num),
                problem,
            }),
            added => {
                gathered.added.0 += 1;
                gathered.added.1 += size_of(file);
                gathered.linked += u64::from(added == Added::Linked);
                touched.insert(parent);
            }
        }
        fault::point("backup.file")?;
        progress.advance(size_of(file));
    }
    sync_all(directory, &touched)?;
    Ok(gathered)
}

pub(super) fn size_of(file: &NeededFile) -> u64 {
    file.size.try_into().unwrap_or(0)
}

#[derive(PartialEq, Eq)]
enum Added {
    Linked,
    Copied,
    /// The file is missing or damaged in the store.
    Problem(String),
}

/// Links to the file of the store, since neither of the two is ever changed in place, or copies it. It is read either way,
/// so that a damaged file does not go unnoticed.
fn add(store: &CrateStore, checksum: Checksum, path: &Path) -> Result<Added, BackupError> {
    let copy = path.with_extension(COPYING);
    remove_if_exists(&copy)?;
    if let Some(original) = store.local_path(checksum) {
        match store.digest(checksum)? {
            None => return Ok(missing()),
            Some((found, _)) if found != checksum => return Ok(damaged(found)),
            Some(_) => {}
        }
        if fs::hard_link(&original, &copy).is_ok() {
            fs::rename(&copy, path).map_err(BackupError::file("rename", path))?;
            // If both are links to one file, a rename does nothing.
            remove_if_exists(&copy)?;
            return Ok(Added::Linked);
        }
    }
    // A fixed name, so that a killed backup leaves one file at most for each crate file.
    let (directory, name) = (copy.parent().unwrap_or(path), copy.file_name().unwrap_or_default());
    let created = tempfile::Builder::new().prefix(name).rand_bytes(0).tempfile_in(directory);
    let mut file = BufWriter::new(created.map_err(BackupError::file("create", &copy))?);
    let copied = store.copy(checksum, |piece| file.write_all(piece))?;
    match copied {
        Some((found, _)) if found == checksum => {
            let written = file.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| {
                file.as_file().sync_all()?;
                Ok(file.persist(path)?)
            });
            written.map_err(BackupError::file("write", path))?;
            Ok(Added::Copied)
        }
        other => Ok(other.map_or_else(missing, |(found, _)| damaged(found))),
    }
}

fn missing() -> Added {
    Added::Problem(MISSING.to_owned())
}

fn damaged(found: Checksum) -> Added {
    Added::Problem(format!("it is damaged in the crate store: its content has the checksum {found}"))
}

fn sync_all(directory: &Directory, touched: &BTreeSet<PathBuf>) -> Result<(), BackupError> {
    if touched.is_empty() {
        return Ok(());
    }
    touched.iter().try_for_each(|path| sync(path))?;
    sync(&directory.crates())?;
    sync(directory.path())
}
