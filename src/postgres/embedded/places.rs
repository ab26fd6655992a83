//! Where a data directory has its cluster.

use std::path::{Path, PathBuf};

use super::error::EmbeddedError;

/// The directory of the cluster.
pub(super) fn cluster_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres")
}

/// The data directory without links.
pub(super) fn canonical(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    data_dir.canonicalize().map_err(|reason| EmbeddedError::directory("open", data_dir, reason))
}
