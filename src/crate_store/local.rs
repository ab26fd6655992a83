//! The directories of a local store.

use std::io;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::quarantine::QUARANTINE;

/// Makes every directory at once, so that no later write depends on a directory entry that is not on the disk yet, and
/// removes the parts of files that a killed process left.
pub(super) fn prepare(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    for byte in 0..=u8::MAX {
        let directory = path.join(format!("{byte:02x}"));
        match std::fs::create_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_staged(&directory)?,
            made => made?,
        }
    }
    prepare_quarantine(path)?;
    std::fs::File::open(path)?.sync_all()?;
    path.parent().map_or(Ok(()), |parent| std::fs::File::open(parent)?.sync_all())
}

/// One that this process cannot write, such as one that root made, is reported, and the store is used all the same.
fn prepare_quarantine(path: &Path) -> io::Result<()> {
    let quarantine = path.join(QUARANTINE);
    match std::fs::create_dir(&quarantine) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    if let Err(error) = access(&quarantine, AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK) {
        let (directory, owner) = (quarantine.display(), nix::unistd::geteuid());
        tracing::error!(
            "the quarantine {directory} cannot be read and written ({}), so crate files that no version needs stay where \
             they are: `chown -R {owner} {directory}` as root",
            error.desc()
        );
    }
    Ok(())
}

/// A file is written beside its place as `NAME#N` and renamed when it is whole.
fn remove_staged(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(".crate#") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
