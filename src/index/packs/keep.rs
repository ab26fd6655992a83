//! A pack's `.keep` file, while no reference leads to its objects.
//!
//! Between the moment in which a pack is placed and the move of the branch, its objects are unreachable. `git repack -a -d`
//! removes every pack that it found at its start, after it has copied what references led to, unless the pack has a file of
//! this name. So the file is there before the pack, and is removed when the branch has moved: a repack that finds the pack
//! without the file also finds the reference. The file needs no flush: after a crash it is removed as a leftover, if it is
//! there at all.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use git2::Oid;

/// The first bytes of a pack, which git and operators do not write into such a file.
const START: &[u8; 4] = b"PACK";

/// The file, which is removed when this is dropped.
#[derive(Debug)]
pub struct Keep(PathBuf);

impl Keep {
    /// Makes the file for the pack of this name, which is complete in `written` but not in place yet. `None` if there is
    /// one of another origin, which protects the pack as well.
    pub(super) fn of(packs: &Path, checksum: Oid, written: &Path) -> io::Result<Option<Self>> {
        let path = packs.join(format!("pack-{checksum}.keep"));
        // Another name of the pack itself costs least.
        let made = match fs::hard_link(written, &path) {
            // The disk does not support that.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::write(&path, START),
            linked => linked,
        };
        match made {
            Ok(()) => Ok(Some(Self(path))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(is_ours(&path).then_some(Self(path))),
            Err(error) => {
                let _incomplete = fs::remove_file(&path);
                Err(error)
            }
        }
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        // What remains is a leftover, because of which the pack is not merged until the next start.
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            let (error, file) = (&error as &dyn std::error::Error, self.0.display());
            tracing::warn!(error, %file, "cannot remove the .keep file of a pack of the index");
        }
    }
}

/// Whether the file was made here. If no pack is being placed, it is a leftover.
pub fn is_ours(path: &Path) -> bool {
    let mut start = [0; START.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *START
}
