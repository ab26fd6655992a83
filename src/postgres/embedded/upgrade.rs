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

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::unistd::User;

use super::binaries::Binaries;
use super::error::EmbeddedError;
use super::{Cluster, Options, canonical, cluster_dir, creation, existing, predecessor};
use crate::fault;
use crate::postgres::installations;

/// The directory of the new cluster, and the file that says that it is complete and verified.
const DIRECTORY: &str = "postgres.upgrade";
const COMPLETE: &str = "complete";

/// The programs of one installation.
#[derive(Clone, Debug)]
pub struct Programs {
    pub directory: PathBuf,
    pub major: u32,
}

/// The major version of the cluster in a data directory; `None` if there is no cluster.
pub fn major_of(data_dir: &Path) -> Result<Option<u32>, EmbeddedError> {
    Ok(existing::find(&cluster_dir(data_dir))?.map(|existing| existing.major))
}

/// The programs of the newest version, in this directory or in all usual ones.
pub fn newest_programs(given: Option<&Path>) -> Result<Programs, EmbeddedError> {
    let (candidates, searched) = installations::candidates(given);
    let found = usable(candidates)?;
    found.into_iter().max_by_key(|programs| programs.major).ok_or(EmbeddedError::NoBinaries { searched })
}

/// The programs of this version, in this directory or in all usual ones.
pub fn programs_of(given: Option<&Path>, major: u32) -> Result<Programs, EmbeddedError> {
    let (candidates, searched) = installations::candidates(given);
    let found = usable(candidates)?.into_iter().find(|programs| programs.major == major);
    found.ok_or_else(|| EmbeddedError::NoOldBinaries { major, searched })
}

fn usable(candidates: Vec<PathBuf>) -> Result<Vec<Programs>, EmbeddedError> {
    let found = candidates.into_iter().filter_map(|directory| Binaries::in_directory(directory).transpose());
    let (mut usable, mut broken) = (Vec::new(), None);
    for one in found {
        match one {
            Ok(Binaries { directory, major }) => usable.push(Programs { directory, major }),
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    match broken {
        Some(error) if usable.is_empty() => Err(error),
        _ => Ok(usable),
    }
}

/// The directory in which an upgrade makes the new cluster.
pub fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join(DIRECTORY)
}

/// Creates an empty cluster beside that of `options`, for the same user, and starts it.
pub fn start_beside(options: &Options, programs: &Programs) -> Result<Cluster, EmbeddedError> {
    let data_dir = canonical(&options.data_dir)?;
    let beside = directory(&data_dir);
    if !beside.is_dir() {
        DirBuilder::new()
            .mode(0o700)
            .create(&beside)
            .map_err(|reason| EmbeddedError::directory("create", &beside, reason))?;
    }
    let owner = existing::find(&cluster_dir(&data_dir))?.and_then(|old| User::from_uid(old.owner).ok().flatten());
    Cluster::start(&Options {
        data_dir: beside,
        postgres_bin_dir: Some(programs.directory.clone()),
        os_user: options.os_user.clone().or(owner.map(|user| user.name)),
        throwaway: options.throwaway,
    })
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
    use nix::errno::Errno;
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
