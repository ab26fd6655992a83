//! One pack with all objects, and its reachability bitmap.
//!
//! Without a bitmap, git walks through the whole history for each clone: at 20,000 crates with 40,000 commits 3.7 s of
//! processor time, and 0.16 s with one. What is newer than the bitmap is walked through as before. (A commit-graph saves
//! nothing of a clone, and 10 ms of a fetch, so none is written.)
//!
//! A bitmap needs one pack with everything that the branch leads to. git builds it in a repository of its own, which has the
//! index's packs under further names. So it may take minutes at the lowest priority, while the writer adds packs and small
//! ones are merged. Then the new pack replaces those that it was made of.
//!
//! Nothing is dropped: git also packs what no reference leads to, and before a pack is removed, each of its objects is
//! looked up in the new one. A pack with a `.keep` file stays. A process that is killed leaves the directory, or packs that
//! are there twice, which the next run replaces.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use git2::Oid;
use nix::sys::statvfs::statvfs;

use super::error::IndexError;
use super::packs::ids_of;
use super::repository::{Head, Index};
use super::sync::sync;

/// The file whose lock the builder holds.
pub(super) const LOCK: &str = "supercargo-bitmap.lock";
/// The directory of the repository in which git works.
pub(super) const WORKPLACE: &str = "supercargo-bitmap";

/// The time limit for git. Measured: 14 s of processor time for 20,000 crates with 40,000 commits.
const LIMIT: Duration = Duration::from_secs(3600);
/// The time from one bitmap to the next.
const LEAST_AGE: Duration = Duration::from_secs(20 * 3600);
/// The size of packs from which a bitmap pays, in bytes.
const LEAST_SIZE: u64 = 1 << 20;
/// A bitmap is out of date if the newer packs have one byte for this many bytes of its pack.
const PART: u64 = 20;
/// Disk space that is left free, in bytes.
const SPARE: u64 = 256 << 20;

/// Files beside a pack because of which it stays.
const BOUND: [&str; 3] = ["keep", "promisor", "mtimes"];

/// The files of the new pack in the order in which they get their names.
const NEW: [&str; 4] = ["rev", "bitmap", "pack", "idx"];
/// The age of a pack without an index from which it is a leftover. Meanwhile git may be about to add the index.
const LEFT_OVER: i64 = 3600;

/// How the work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bitmap {
    /// There is a new one.
    Built {
        /// The size of its pack, in bytes.
        size: u64,
        /// How many packs it replaced.
        replaced: usize,
    },
    /// Another process builds one, or it was stopped, or the index is empty.
    NotBuilt,
    /// The disk has too little space.
    NoSpace {
        /// The bytes that are needed.
        needed: u64,
        /// The bytes that are free.
        free: u64,
    },
}

impl Index {
    /// Whether the index needs a new bitmap, by the sizes of the packs with and without one.
    pub fn bitmap_is_due(&self) -> Result<bool, IndexError> {
        let packs = self.path().join("objects/pack");
        let unreadable = |error| IndexError::file("list", &packs)(error);
        let (mut mapped, mut others, mut age) = (0, 0, Duration::MAX);
        for pack in packs_in(&packs).map_err(unreadable)? {
            // A merge may have removed it.
            let Ok(about) = fs::metadata(&pack) else { continue };
            match fs::metadata(pack.with_extension("bitmap")) {
                Ok(bitmap) => {
                    mapped += about.len();
                    let modified = bitmap.modified().map_err(unreadable)?;
                    // A clock that was set back makes it old.
                    age = age.min(SystemTime::now().duration_since(modified).unwrap_or(Duration::MAX));
                }
                Err(_) => others += about.len(),
            }
        }
        Ok(if mapped == 0 { others >= LEAST_SIZE } else { age >= LEAST_AGE && others >= mapped / PART })
    }

    /// Puts all objects into one pack with a bitmap, unless another process does that. `is_stopped` is asked meanwhile.
    pub fn build_bitmap(&self, is_stopped: &dyn Fn() -> bool) -> Result<Bitmap, IndexError> {
        let Some(_only_one) = self.try_lock(LOCK)? else { return Ok(Bitmap::NotBuilt) };
        let workplace = self.path().join(WORKPLACE);
        let failed = |error| IndexError::file("work in", &workplace)(error);
        remove(&workplace).map_err(failed)?;
        let built = self.build_in(&workplace, is_stopped);
        remove(&workplace).map_err(failed)?;
        built
    }

    fn build_in(&self, workplace: &Path, is_stopped: &dyn Fn() -> bool) -> Result<Bitmap, IndexError> {
        let failed = |error| IndexError::file("work in", workplace)(error);
        let sizes = self.pack_sizes()?;
        let needed = sizes.packs + sizes.indexes + SPARE;
        let disk = statvfs(self.path()).map_err(|error| IndexError::file("look at", self.path())(error.into()))?;
        let free = disk.blocks_available() * disk.fragment_size();
        if free < needed {
            return Ok(Bitmap::NoSpace { needed, free });
        }
        let old = {
            // No pack is removed meanwhile.
            let _no_merge = self.lock_maintenance()?;
            let head = self.head()?;
            if head.commit.is_none() {
                return Ok(Bitmap::NotBuilt);
            }
            sweep_unfinished(&self.path().join("objects/pack")).map_err(failed)?;
            copied(self.path(), workplace, &head).map_err(failed)?
        };
        let base = workplace.join("new/pack");
        let base = base.to_string_lossy();
        let pack = [
            "-c",
            "core.fsync=committed",
            "pack-objects",
            "-q",
            "--all",
            "--keep-unreachable",
            "--delta-base-offset",
            "--write-bitmap-index",
            "--threads=1",
            "--window-memory=64m",
            &*base,
        ];
        if !self.git().run_idly(workplace, &pack, LIMIT, is_stopped)? {
            return Ok(Bitmap::NotBuilt);
        }
        let _no_merge = self.lock_maintenance()?;
        let done = replace(&self.path().join("objects/pack"), workplace, &old);
        self.forget_handles();
        done.map_err(failed)
    }
}

/// Makes a repository with the objects and the head of the index, and returns the names of the packs to replace.
fn copied(index: &Path, workplace: &Path, head: &Head) -> io::Result<Vec<PathBuf>> {
    let objects = index.join("objects");
    for directory in ["objects/pack", "refs", "new"] {
        fs::create_dir_all(workplace.join(directory))?;
    }
    let commit = head.commit.map_or_else(String::new, |commit| commit.to_string());
    fs::write(workplace.join("HEAD"), format!("{commit}\n"))?;
    let mut replaced = Vec::new();
    for pack in packs_in(&objects.join("pack"))? {
        let Some(name) = pack.file_name().map(PathBuf::from) else { continue };
        let is_bound = BOUND.iter().any(|end| pack.with_extension(end).exists());
        for end in ["pack", "idx", "rev", "bitmap"] {
            let (from, to) = (pack.with_extension(end), workplace.join("objects/pack").join(&name).with_extension(end));
            match fs::hard_link(&from, to) {
                // Most packs have no bitmap, and those of this program no reverse index.
                Err(error) if error.kind() == io::ErrorKind::NotFound && matches!(end, "rev" | "bitmap") => {}
                linked => linked?,
            }
        }
        if !is_bound {
            replaced.push(name);
        }
    }
    for fan in fs::read_dir(&objects)? {
        let fan = fan?;
        let name = fan.file_name();
        if name.len() != 2 {
            continue;
        }
        let to = workplace.join("objects").join(&name);
        fs::create_dir(&to)?;
        for object in fs::read_dir(fan.path())? {
            let object = object?;
            fs::hard_link(object.path(), to.join(object.file_name()))?;
        }
    }
    Ok(replaced)
}

/// Puts the new pack into its place and removes the old ones.
fn replace(packs: &Path, workplace: &Path, old: &[PathBuf]) -> io::Result<Bitmap> {
    let made = packs_in(&workplace.join("new"))?;
    let [made] = &made[..] else {
        return Err(io::Error::other(format!("git made {} packs instead of one", made.len())));
    };
    let has = ids(made)?;
    for name in old {
        let missing = ids(&workplace.join("objects/pack").join(name))?.into_iter().find(|id| !has.contains(id));
        if let Some(id) = missing {
            return Err(io::Error::other(format!("git's new pack lacks the object {id} of {}", name.display())));
        }
    }
    let size = fs::metadata(made)?.len();
    let place = packs.join(made.file_name().unwrap_or_default());
    // git uses a pack when its index is there. If the pack was there before, its files are replaced by equal ones.
    for end in NEW {
        fs::rename(made.with_extension(end), place.with_extension(end))?;
    }
    sync(packs)?;
    let mut replaced = 0;
    for name in old {
        let pack = packs.join(name);
        if pack == place || pack.with_extension("keep").exists() {
            continue;
        }
        // The pack first, as in a merge.
        for end in ["pack", "rev", "bitmap", "idx"] {
            match fs::remove_file(pack.with_extension(end)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        replaced += 1;
    }
    Ok(Bitmap::Built { size, replaced })
}

/// Removes a pack that was about to be placed when this program was killed: it has a bitmap and no index.
fn sweep_unfinished(packs: &Path) -> io::Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs().cast_signed();
    for file in fs::read_dir(packs)? {
        let path = file?.path();
        let is_unfinished = path.extension().is_some_and(|end| end == "pack")
            && path.with_extension("bitmap").exists()
            && !path.with_extension("idx").exists()
            && fs::metadata(&path)?.ctime() + LEFT_OVER < now;
        if is_unfinished {
            NEW.iter()
                .rev()
                .filter(|end| **end != "idx")
                .try_for_each(|end| fs::remove_file(path.with_extension(end)))?;
        }
    }
    Ok(())
}

fn ids(pack: &Path) -> io::Result<HashSet<Oid>> {
    let ids = ids_of(&fs::read(pack.with_extension("idx"))?);
    let unusable = || io::Error::other(format!("the index of {} is damaged or of another version", pack.display()));
    Ok(ids.ok_or_else(unusable)?.into_iter().collect())
}

/// The packs of a directory that have an index.
fn packs_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut packs = Vec::new();
    for file in fs::read_dir(directory)? {
        let path = file?.path();
        if path.extension().is_some_and(|end| end == "pack") && path.with_extension("idx").exists() {
            packs.push(path);
        }
    }
    Ok(packs)
}

pub(super) fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
