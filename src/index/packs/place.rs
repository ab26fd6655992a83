//! Putting a pack among the others, durably.
//!
//! Both files are written under temporary names and flushed side by side, then renamed, the pack first: git takes an index
//! without a pack for garbage, and a pack without an index for one that is being written. The flush of the directory makes
//! the names durable.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use git2::Oid;
use tempfile::NamedTempFile;

use super::keep::Keep;
use super::new_pack::FinishedPack;
use crate::index::sync::sync;

/// The beginning of the names of files that are being written. git removes such files when they are weeks old.
const NEW_FILE: &str = "tmp_supercargo_";

/// Packs never change.
const MODE: u32 = 0o444;

/// A pack and its index that are on the disk, but under names that git does not read. They are removed if this is dropped.
pub struct Unplaced<'a> {
    packs: &'a Path,
    pack: NamedTempFile,
    index: NamedTempFile,
    checksum: Oid,
}

/// Writes the pack and its index to the directory of packs, and flushes them together with `beside`.
pub fn write<'a>(packs: &'a Path, finished: &FinishedPack, beside: Option<&File>) -> io::Result<Unplaced<'a>> {
    let pack = write_file(packs, &finished.pack)?;
    let index = write_file(packs, &finished.index)?;
    flush(&[Some(pack.as_file()), Some(index.as_file()), beside])?;
    Ok(Unplaced { packs, pack, index, checksum: finished.checksum })
}

impl Unplaced<'_> {
    /// Like [`place`](Self::place), for a pack to whose objects no reference leads yet: no repack removes it before the
    /// result is dropped.
    pub fn place_kept(self) -> io::Result<Option<Keep>> {
        let keep = Keep::of(self.packs, self.checksum, self.pack.path())?;
        self.place()?;
        Ok(keep)
    }

    /// Gives them their names, durably.
    pub fn place(self) -> io::Result<()> {
        let name = |end: &str| self.packs.join(format!("pack-{}.{end}", self.checksum));
        self.pack.persist(name("pack"))?;
        self.index.persist(name("idx"))?;
        sync(self.packs)
    }
}

fn write_file(packs: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut named = tempfile::Builder::new();
    let mut file = named.prefix(NEW_FILE).permissions(Permissions::from_mode(MODE)).tempfile_in(packs)?;
    file.write_all(content)?;
    Ok(file)
}

/// Flushes the files at the same time: the disk then needs little more than for one.
fn flush(files: &[Option<&File>]) -> io::Result<()> {
    std::thread::scope(|scope| {
        let mut files = files.iter().flatten();
        let first = files.next();
        let others: Vec<_> = files.map(|file| scope.spawn(|| file.sync_all())).collect();
        let flushed = first.map_or(Ok(()), |file| file.sync_all());
        for other in others {
            other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        flushed
    })
}
