//! A cluster that exists before the start.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Uid;

use super::error::EmbeddedError;
use crate::postgres::installations::leading_number;

/// The properties of a cluster that are read before its start.
#[derive(Debug)]
pub(super) struct ExistingCluster {
    /// The major version of PostgreSQL that created it.
    pub(super) major: u32,
    /// The only user as whom PostgreSQL runs it.
    pub(super) owner: Uid,
}

/// The cluster in this directory; `None` when the directory does not exist or is empty.
pub(super) fn find(cluster: &Path) -> Result<Option<ExistingCluster>, EmbeddedError> {
    let unreadable = |reason| EmbeddedError::directory("read", cluster, reason);
    let owner = match fs::metadata(cluster) {
        Ok(metadata) => Uid::from_raw(metadata.uid()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    match fs::read_to_string(cluster.join("PG_VERSION")) {
        Ok(text) => match leading_number(&text) {
            Some(major) => Ok(Some(ExistingCluster { major, owner })),
            None => Err(not_a_cluster(cluster)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if fs::read_dir(cluster).map_err(unreadable)?.next().is_none() {
                return Ok(None);
            }
            Err(not_a_cluster(cluster))
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(not_a_cluster(cluster)),
        Err(error) => Err(unreadable(error)),
    }
}

fn not_a_cluster(path: &Path) -> EmbeddedError {
    EmbeddedError::NotACluster { path: path.to_owned() }
}
