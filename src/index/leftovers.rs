//! Removing the files that a killed writer left.
//!
//! Lock files block every later writer, a `.keep` file a merge, and incomplete packs and objects waste space. They are
//! recognised by their names and removed only by the holder of the write lock: otherwise a file could belong to a
//! running writer. Readers have no such files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::bitmap;
use super::branch::NEW_HEAD;
use super::error::IndexError;
use super::packs::is_our_keep;
use super::writer::Writer;

impl Writer {
    /// Removes the lock files and temporary files of a killed writer or repack and returns their paths. To be called while
    /// no batch is being written.
    pub fn clean_leftovers(&self) -> Result<Vec<PathBuf>, IndexError> {
        let mut removed = self.clean_beside_batch()?;
        let packs = self.index.path().join("objects/pack");
        sweep(&packs, |name| name.ends_with(".keep") && is_our_keep(&packs.join(name)), &mut removed)?;
        let workplace = self.index.path().join(bitmap::WORKPLACE);
        if workplace.exists()
            && let Some(_no_builder) = self.index.try_lock(bitmap::LOCK)?
        {
            bitmap::remove(&workplace).map_err(IndexError::file("remove", &workplace))?;
            removed.push(workplace);
        }
        Ok(removed)
    }

    /// Like [`Writer::clean_leftovers`], but keeps what belongs to a pack to which no reference leads yet.
    pub(super) fn clean_beside_batch(&self) -> Result<Vec<PathBuf>, IndexError> {
        let root = self.index.path();
        let mut removed = Vec::new();
        sweep(root, |name| LOCKS.contains(&name) || name.starts_with(NEW_HEAD), &mut removed)?;
        sweep_locks(&root.join("refs"), &mut removed)?;
        sweep(&root.join("objects/info"), |name| name.ends_with(".lock"), &mut removed)?;
        let packs = root.join("objects/pack");
        sweep(&packs, |name| name.starts_with("pack_git2_"), &mut removed)?;
        sweep_new_packs(&root.join("objects"), &mut removed)?;
        // The rest may belong to a running repack, which has its own lock and may have outlived the process that
        // started it.
        let Some(_no_repack) = self.index.try_lock_maintenance()? else { return Ok(removed) };
        sweep(&packs, is_temporary, &mut removed)?;
        sweep(&packs, |name| lacks_its_pack(&packs, name), &mut removed)?;
        for directory in fan_out(&root.join("objects"))? {
            sweep(&directory, is_temporary, &mut removed)?;
        }
        Ok(removed)
    }
}

/// The beginning of the names of directories in which earlier versions of this program wrote packs.
const NEW_PACK: &str = "new-pack-";

const LOCKS: [&str; 4] = ["HEAD.lock", "config.lock", "packed-refs.lock", "packed-refs.new"];

/// Names that libgit2 (`pack_git2_`, `tmp_object`) and the git program (`tmp_`, `.tmp-`) give.
fn is_temporary(name: &str) -> bool {
    name.starts_with("pack_git2_") || name.starts_with("tmp_") || name.starts_with(".tmp-") || name.ends_with(".lock")
}

/// Whether the pack of a pack's index is missing. git renames the index to its final name before the pack.
fn lacks_its_pack(packs: &Path, name: &str) -> bool {
    let stem = ["idx", "rev", "bitmap", "mtimes"].iter().find_map(|end| name.strip_suffix(end));
    stem.is_some_and(|stem| name.starts_with("pack-") && !packs.join(format!("{stem}pack")).exists())
}

fn sweep_locks(directory: &Path, removed: &mut Vec<PathBuf>) -> Result<(), IndexError> {
    sweep(directory, |name| name.ends_with(".lock"), removed)?;
    for entry in entries(directory)? {
        if entry.is_dir() {
            sweep_locks(&entry, removed)?;
        }
    }
    Ok(())
}

fn sweep_new_packs(objects: &Path, removed: &mut Vec<PathBuf>) -> Result<(), IndexError> {
    let is_new =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(NEW_PACK.as_bytes()));
    for path in entries(objects)?.into_iter().filter(is_new) {
        fs::remove_dir_all(&path).map_err(IndexError::file("remove", &path))?;
        removed.push(path);
    }
    Ok(())
}

/// `objects` and its directories of loose objects.
fn fan_out(objects: &Path) -> Result<Vec<PathBuf>, IndexError> {
    let is_fan = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.len() == 2 && name.as_encoded_bytes().iter().all(u8::is_ascii_hexdigit)
    };
    let mut directories: Vec<PathBuf> = entries(objects)?.into_iter().filter(is_fan).collect();
    directories.push(objects.to_owned());
    Ok(directories)
}

fn sweep(directory: &Path, is_leftover: impl Fn(&str) -> bool, removed: &mut Vec<PathBuf>) -> Result<(), IndexError> {
    for path in entries(directory)? {
        let name = path.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(&is_leftover) || path.is_dir() {
            continue;
        }
        match fs::remove_file(&path) {
            Ok(()) => removed.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(IndexError::file("remove", &path)(error)),
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, IndexError> {
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(IndexError::file("list", directory)(error)),
    };
    listing.map(|entry| entry.map(|entry| entry.path()).map_err(IndexError::file("list", directory))).collect()
}
