//! What an upgrade to another major version needs besides the server itself: programs of two versions, and a cluster beside
//! the one that is served. `swap.rs` says how it takes its place.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::unistd::User;

use super::binaries::Binaries;
use super::error::EmbeddedError;
use super::existing;
use super::places::{canonical, cluster_dir};
use super::{Cluster, Options};
use crate::postgres::installations;

pub use super::swap::{directory, discard, settle, swap};

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
    found.ok_or(EmbeddedError::NoOldBinaries { major, searched })
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
