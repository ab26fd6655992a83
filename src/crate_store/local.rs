//! The directories of a local store, and the unfinished files of interrupted writes in them.
//!
//! The object store writes a file beside its final name, as `NAME.crate#N`, and renames it when it is complete. It
//! lists no file of that name, so everything about them is here.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use nix::unistd::{AccessFlags, access};

use super::quarantine::{QUARANTINE, place_at};
use super::{CrateStore, CrateStoreError, Failure, Place, StoredFile};

impl CrateStore {
    /// The unfinished files in the directory of this byte, in the order of their names. A bucket has none.
    pub fn list_unfinished(&self, first_byte: u8) -> Result<Vec<StoredFile>, CrateStoreError> {
        let Place::Directory(root) = &self.place else { return Ok(Vec::new()) };
        let name = format!("{first_byte:02x}");
        let mut files = unfinished(root, &name).map_err(failed(&name))?;
        files.sort_by(|one, other| one.location.cmp(&other.location));
        Ok(files)
    }

    /// Moves an unfinished file to the quarantine and returns its new location; a file that is gone is no error. `when`
    /// is part of its new name.
    pub fn quarantine_unfinished(&self, location: &str, when: DateTime<Utc>) -> Result<String, CrateStoreError> {
        // A path of the store would have `#` percent-encoded.
        let name = location.rsplit('/').next().unwrap_or(location).replace('#', "-part-");
        let target = place_at(when, &name).to_string();
        let Place::Directory(root) = &self.place else { return Ok(target) };
        fs::create_dir_all(root.join(QUARANTINE)).map_err(failed(QUARANTINE))?;
        match fs::rename(root.join(location), root.join(&target)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(location)(error)),
            _ => Ok(target),
        }
    }
}

/// Creates every directory at once, so that no later write depends on a directory entry that is not on the disk yet,
/// and removes the unfinished files that a killed process left.
pub(super) fn prepare(root: &Path) -> io::Result<()> {
    fs::create_dir_all(root)?;
    for byte in 0..=u8::MAX {
        let name = format!("{byte:02x}");
        match fs::create_dir(root.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                for file in unfinished(root, &name)? {
                    fs::remove_file(root.join(file.location))?;
                }
            }
            created => created?,
        }
    }
    prepare_quarantine(root)?;
    File::open(root)?.sync_all()?;
    root.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// A quarantine that this process cannot write, such as one that root created, is reported; the store works without it.
fn prepare_quarantine(root: &Path) -> io::Result<()> {
    let quarantine = root.join(QUARANTINE);
    match fs::create_dir(&quarantine) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => return created,
    }
    if let Err(error) = access(&quarantine, AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK) {
        let (directory, owner) = (quarantine.display(), nix::unistd::geteuid());
        tracing::error!(
            "cannot read and write the quarantine {directory} ({}), so crate files that no version needs stay where they \
             are: run `chown -R {owner} {directory}` as root",
            error.desc()
        );
    }
    Ok(())
}

/// The unfinished files in one directory of the store. A directory that does not exist has none.
fn unfinished(root: &Path, directory: &str) -> io::Result<Vec<StoredFile>> {
    let entries = match fs::read_dir(root.join(directory)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.contains(".crate#") {
            continue;
        }
        // A file that is gone by now was being written.
        let Ok(metadata) = entry.metadata() else { continue };
        found.push(StoredFile {
            location: format!("{directory}/{name}"),
            checksum: None,
            size: metadata.len(),
            modified: metadata.modified()?.into(),
        });
    }
    Ok(found)
}

fn failed(what: &str) -> impl FnOnce(io::Error) -> CrateStoreError {
    move |error| CrateStoreError::Failed { what: what.to_owned(), failure: Failure::Other(error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Checksum;

    #[test]
    fn unfinished_files_are_listed_and_moved_to_the_quarantine() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let checksum = Checksum::of(b"content");
        let (first, location) = (checksum.as_bytes()[0], format!("{}#1", CrateStore::place(checksum)));
        fs::write(directory.path().join(&location), b"con").unwrap();
        let listed = store.list_unfinished(first).unwrap();
        assert_eq!(listed.iter().map(|file| (&*file.location, file.size)).collect::<Vec<_>>(), [(&*location, 3)]);
        assert_eq!(store.list_unfinished(first.wrapping_add(1)).unwrap(), []);
        let moved = store.quarantine_unfinished(&location, Utc::now()).unwrap();
        assert_eq!(fs::read(directory.path().join(&moved)).unwrap(), b"con");
        assert_eq!(store.list_unfinished(first).unwrap(), []);
        store.quarantine_unfinished(&location, Utc::now()).unwrap();
        let expired = store.empty_quarantine(Utc::now()).unwrap();
        assert_eq!(expired.iter().map(|file| &file.location).collect::<Vec<_>>(), [&moved]);
    }
}
