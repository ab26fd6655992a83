//! The directories of a local store, and the unfinished files in them.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::stored_file::StoredFile;

/// The directory of the quarantine.
pub(super) const QUARANTINE: &str = "quarantine";

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
pub(super) fn unfinished(root: &Path, directory: &str) -> io::Result<Vec<StoredFile>> {
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
