//! What is kept of upstreams, in a backup that was asked to have it: in `upstream/` of the backup, with a list of its own.
//!
//! Nothing refers to these files, so one that is removed or damaged meanwhile is left out.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;

use super::error::BackupError;
use super::manifest::{Part, PartWriter, UpstreamFiles, part_of};
use super::private_files::{create_directory, create_file, list, sync};
use super::progress::Progress;
use crate::crate_store::CrateStore;
use crate::package::Checksum;
use crate::replace_file::replace_file;

/// The list of the files.
pub(super) const LIST: &str = "upstream.list";
/// Their directory, and those of crate files and of index files in it.
const FILES: &str = "upstream";
const CRATES: &str = "crates";
const INDEX: &str = "index";
/// The beginning of the name of an index file that is being written.
const UNFINISHED: &str = ".tmp";

/// The cache of the upstreams of a registry. Index files that machines share are in the database.
pub struct UpstreamCache<'a> {
    pub crate_files: &'a CrateStore,
    /// The directory of the index files.
    pub index_files: &'a Path,
}

/// A file of the list.
struct Listed {
    part: Part,
    /// Below the directory.
    path: PathBuf,
}

/// Copies the cache into a backup, and lists its files.
pub(super) fn gather(cache: &UpstreamCache<'_>, place: &Path) -> Result<(Part, UpstreamFiles), BackupError> {
    let _progress = Progress::of_work("copying what is kept of upstreams");
    let (root, list_path) = (place.join(FILES), place.join(LIST));
    create_directory(&root)?;
    let mut writer = PartWriter::create(&list_path)?;
    let mut gathered = UpstreamFiles::default();
    let mut note = |part: &Part, path: &Path| {
        gathered.files += 1;
        gathered.bytes += part.size;
        let line = writeln!(writer, "{} {} {}", part.sha256, part.size, path.display());
        line.map_err(BackupError::file("write", &list_path))
    };
    for byte in 0..=u8::MAX {
        for checksum in cache.crate_files.list(byte)?.into_iter().filter_map(|file| file.checksum) {
            let path = Path::new(CRATES).join(CrateStore::place(checksum));
            if let Some(part) = add_crate_file(cache.crate_files, checksum, &root.join(&path))? {
                note(&part, &path)?;
            }
        }
    }
    for path in files_below(cache.index_files)? {
        let to = Path::new(INDEX).join(&path);
        if let Some(part) = add_index_file(&cache.index_files.join(&path), &root.join(&to))? {
            note(&part, &to)?;
        }
    }
    sync(&root)?;
    Ok((writer.finish(&list_path)?, gathered))
}

/// Links to a file of the store, or copies it. None if it is no longer there, or damaged.
fn add_crate_file(store: &CrateStore, checksum: Checksum, to: &Path) -> Result<Option<Part>, BackupError> {
    let directory = to.parent().unwrap_or(to);
    let right = |found: Option<(Checksum, u64)>| found.filter(|(found, _)| *found == checksum);
    if let Some(original) = store.local_path(checksum) {
        let Some((sha256, size)) = right(store.digest(checksum)?) else { return Ok(None) };
        create_directory(directory)?;
        if fs::hard_link(&original, to).is_ok() {
            return Ok(Some(Part { size, sha256 }));
        }
    }
    create_directory(directory)?;
    let mut file = create_file(to)?;
    let copied = right(store.copy(checksum, |piece| file.write_all(piece))?);
    file.sync_all().map_err(BackupError::file("write", to))?;
    match copied {
        Some((sha256, size)) => Ok(Some(Part { size, sha256 })),
        None => fs::remove_file(to).map(|()| None).map_err(BackupError::file("remove", to)),
    }
}

/// Links to an index file, which is replaced and never changed in place, or copies it. None if it is no longer there.
fn add_index_file(from: &Path, to: &Path) -> Result<Option<Part>, BackupError> {
    create_directory(to.parent().unwrap_or(to))?;
    if fs::hard_link(from, to).is_err() {
        let Ok(content) = fs::read(from) else { return Ok(None) };
        let mut file = create_file(to)?;
        file.write_all(&content).and_then(|()| file.sync_all()).map_err(BackupError::file("write", to))?;
    }
    part_of(to).map(Some)
}

/// The paths of index files, in order.
fn files_below(root: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let (mut files, mut open) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(directory) = open.pop() {
        if !root.join(&directory).is_dir() {
            continue;
        }
        for name in list(&root.join(&directory))? {
            let path = directory.join(&name);
            match fs::symlink_metadata(root.join(&path)) {
                Ok(found) if found.is_dir() => open.push(path),
                Ok(found) if found.is_file() && !name.starts_with(UNFINISHED) => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Verifies the checksum of every file. The error says what differs.
pub(super) fn check(place: &Path) -> Result<(), String> {
    for Listed { part, path } in listed(place)? {
        let found = part_of(&place.join(FILES).join(&path)).map_err(|error| error.to_string())?;
        if found != part {
            return Err(format!("{FILES}/{} has changed since it was written", path.display()));
        }
    }
    Ok(())
}

/// Puts the files into the cache of a registry.
pub(super) fn restore(place: &Path, cache: &UpstreamCache<'_>) -> Result<(), BackupError> {
    let _progress = Progress::of_work("restoring what is kept of upstreams");
    let damaged = |problem| BackupError::Damaged { name: place.display().to_string(), problem };
    for Listed { path, .. } in listed(place).map_err(damaged)? {
        let from = place.join(FILES).join(&path);
        let content = fs::read(&from).map_err(BackupError::file("read", &from))?;
        match path.strip_prefix(INDEX) {
            Ok(below) => {
                let to = cache.index_files.join(below);
                create_directory(to.parent().unwrap_or(cache.index_files))?;
                replace_file(&to, &content).map_err(BackupError::file("write", &to))?;
            }
            Err(_) => cache.crate_files.put(Checksum::of(&content), Bytes::from(content))?,
        }
    }
    Ok(())
}

/// The files of the list. A path that leads out of the directory is none.
fn listed(place: &Path) -> Result<Vec<Listed>, String> {
    let path = place.join(LIST);
    let file = File::open(&path).map_err(|error| format!("cannot read {LIST}: {error}"))?;
    let lines = BufReader::new(file).lines();
    lines
        .map(|line| {
            let line = line.map_err(|error| format!("cannot read {LIST}: {error}"))?;
            let mut words = line.splitn(3, ' ');
            let mut next = || words.next().ok_or_else(|| format!("{LIST} has the line {line:?}"));
            let (sha256, size, path) = (next()?, next()?, PathBuf::from(next()?));
            let is_below = path.components().all(|component| matches!(component, Component::Normal(_)));
            match (sha256.parse(), size.parse()) {
                (Ok(sha256), Ok(size)) if is_below => Ok(Listed { part: Part { size, sha256 }, path }),
                _ => Err(format!("{LIST} has the line {line:?}")),
            }
        })
        .collect()
}
