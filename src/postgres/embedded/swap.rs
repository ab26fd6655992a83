//! The directories of an upgrade to another major version, and the swap at its end.
//!
//! The new cluster is made in `postgres.upgrade/postgres`, with its log beside it. When it is complete and verified, it
//! changes places with `postgres`, in one step where the file system can do that. The old cluster is then renamed to
//! `postgres.15`, after its version. Killed anywhere, the directory is in one of these states:
//!
//! | `postgres` | `postgres.upgrade/postgres` | `complete` | what the next start does |
//! |---|---|---|---|
//! | old | none, or anything | either | nothing: the old cluster is served, and the next upgrade begins again |
//! | new | old | yes | the old cluster gets its name |
//! | none | new | yes | the new cluster gets its name; only where the file system cannot swap |
//! | new | none | yes | what is left is removed |

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::error::EmbeddedError;
use super::places::cluster_dir;
use super::{creation, existing, predecessor};
use crate::fault;

/// The directory of the new cluster, and the file that says that it is complete and verified.
const DIRECTORY: &str = "postgres.upgrade";
const COMPLETE: &str = "complete";

/// The directory in which an upgrade makes the new cluster.
pub fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join(DIRECTORY)
}

/// Removes an unfinished new cluster, whose server may still be ending.
pub fn discard(data_dir: &Path) -> Result<(), EmbeddedError> {
    let beside = directory(data_dir);
    if beside.join("postgres").is_dir() {
        predecessor::remove(&beside.join("postgres"))?;
    }
    creation::remove(&beside)
}

/// Replaces the cluster by the new one, which is complete and not running, and returns where the old one is kept.
pub fn swap(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    let (current, beside) = (cluster_dir(data_dir), directory(data_dir));
    let new = cluster_dir(&beside);
    let complete = beside.join(COMPLETE);
    File::create(&complete)
        .and_then(|file| file.sync_all())
        .map_err(|reason| EmbeddedError::directory("create", &complete, reason))?;
    sync(&beside)?;
    pass("upgrade.complete", &beside)?;
    if !exchange(&current, &new)? {
        let kept = kept_name(data_dir)?;
        rename(&current, &kept)?;
        sync(data_dir)?;
        pass("upgrade.moved_away", &kept)?;
        settle(data_dir)?;
        return Ok(kept);
    }
    sync(data_dir)?;
    sync(&beside)?;
    pass("upgrade.swapped", &beside)?;
    let kept = settle(data_dir)?;
    Ok(kept.unwrap_or(beside))
}

/// Finishes a swap that was interrupted, and returns where the old cluster is kept, if it was renamed now. The caller holds
/// the lock of the data directory.
pub fn settle(data_dir: &Path) -> Result<Option<PathBuf>, EmbeddedError> {
    let (current, beside) = (cluster_dir(data_dir), directory(data_dir));
    if !beside.join(COMPLETE).exists() {
        return Ok(None);
    }
    let other = cluster_dir(&beside);
    let kept = match (existing::find(&current)?, existing::find(&other)?) {
        (Some(new), Some(old)) if old.major < new.major => {
            let kept = data_dir.join(free_name(data_dir, old.major));
            rename(&other, &kept)?;
            sync(data_dir)?;
            pass("upgrade.kept", &kept)?;
            Some(kept)
        }
        (None, Some(_)) => {
            rename(&other, &current)?;
            sync(data_dir)?;
            None
        }
        (Some(_), None) => None,
        _ => return Ok(None),
    };
    creation::remove(&beside)?;
    sync(data_dir)?;
    Ok(kept)
}

/// Lets two directories change places; false where the file system cannot do that.
fn exchange(one: &Path, other: &Path) -> Result<bool, EmbeddedError> {
    if fault::point("upgrade.exchange").is_err() {
        return Ok(false);
    }
    match renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::ENOTSUP) => Ok(false),
        Err(errno) => Err(EmbeddedError::directory("rename", one, errno.into())),
    }
}

/// The path under which the current cluster is kept.
fn kept_name(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    let old = existing::find(&cluster_dir(data_dir))?.map_or(0, |old| old.major);
    Ok(data_dir.join(free_name(data_dir, old)))
}

/// `postgres.15`, or `postgres.15.2` if that is taken.
fn free_name(data_dir: &Path, major: u32) -> String {
    let first = format!("postgres.{major}");
    let further = (2..).map(|number| format!("postgres.{major}.{number}"));
    // There are more numbers than files.
    let free = std::iter::once(first.clone()).chain(further).find(|name| !data_dir.join(name).exists());
    free.unwrap_or(first)
}

fn rename(from: &Path, to: &Path) -> Result<(), EmbeddedError> {
    fs::rename(from, to).map_err(|reason| EmbeddedError::directory("rename", from, reason))
}

fn sync(directory: &Path) -> Result<(), EmbeddedError> {
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(|reason| EmbeddedError::directory("flush", directory, reason))
}

fn pass(point: &'static str, path: &Path) -> Result<(), EmbeddedError> {
    fault::point(point).map_err(|fault| EmbeddedError::directory("rename", path, std::io::Error::other(fault)))
}
