//! Crate files on their way into a directory of backups.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::directory::{Directory, create, create_file, sync};
use super::error::BackupError;
use super::manifest::Problem;
use super::progress::Progress;
use crate::crate_store::CrateStore;
use crate::database::upkeep::backup::NeededFile;
use crate::fault;
use crate::package::Checksum;

/// The end of the name of a file that is being copied.
const COPYING: &str = "copying";

/// What became of the files of one backup.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// New to the directory of backups: files and bytes.
    pub added: (u64, u64),
    /// Of those, files that are links to the store's own.
    pub linked: u64,
    pub problems: Vec<Problem>,
}

/// Has every needed file in the directory of backups. What is there with the right size is not read again.
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
        create(&parent)?;
        match add(store, file.checksum, &path)? {
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
    /// Why not: the store has lost or damaged it.
    Problem(String),
}

/// Links to the store's own file, since neither of the two is ever changed in place; or copies it. Either way it is read
/// once, so that no damage gets into a backup unseen.
fn add(store: &CrateStore, checksum: Checksum, path: &Path) -> Result<Added, BackupError> {
    let copy = path.with_extension(COPYING);
    remove_if_there(&copy)?;
    if let Some(original) = store.local_path(checksum) {
        match store.digest(checksum)? {
            None => return Ok(missing()),
            Some((found, _)) if found != checksum => return Ok(damaged(found)),
            Some(_) => {}
        }
        if fs::hard_link(&original, &copy).is_ok() {
            fs::rename(&copy, path).map_err(BackupError::file("name", path))?;
            // Of two links to one file a rename does nothing.
            remove_if_there(&copy)?;
            return Ok(Added::Linked);
        }
    }
    let mut file = io::BufWriter::new(create_file(&copy)?);
    let copied = store.copy(checksum, |piece| file.write_all(piece))?;
    let written = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
    written.map_err(BackupError::file("write", &copy))?;
    match copied {
        Some((found, _)) if found == checksum => {
            fs::rename(&copy, path).map_err(BackupError::file("name", path))?;
            Ok(Added::Copied)
        }
        other => {
            remove_if_there(&copy)?;
            Ok(other.map_or_else(missing, |(found, _)| damaged(found)))
        }
    }
}

fn missing() -> Added {
    Added::Problem("it is missing in the crate store".to_owned())
}

fn damaged(found: Checksum) -> Added {
    Added::Problem(format!("it is damaged in the crate store: its content has the checksum {found}"))
}

fn remove_if_there(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BackupError::file("remove", path)(error)),
        _ => Ok(()),
    }
}

fn sync_all(directory: &Directory, touched: &BTreeSet<PathBuf>) -> Result<(), BackupError> {
    if touched.is_empty() {
        return Ok(());
    }
    touched.iter().try_for_each(|path| sync(path))?;
    sync(&directory.path().join("crates"))?;
    sync(directory.path())
}
