//! The server's programs, of the major version that the cluster needs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::EmbeddedError;
use crate::postgres::installations::{candidates, major_version};
use crate::postgres::versions;

/// A directory with `initdb` and `postgres` of one major version.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    pub(super) directory: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// Finds the programs of the version `needed`, or the first ones for a new cluster.
    pub(super) fn find(given: Option<&Path>, needed: Option<u32>, cluster: &Path) -> Result<Binaries, EmbeddedError> {
        let (candidates, searched) = candidates(given);
        let mut other = None;
        let mut broken = None;
        for directory in candidates {
            match Binaries::in_directory(directory) {
                Ok(Some(found)) if needed.is_none_or(|needed| found.major == needed) => {
                    return found.for_cluster(needed);
                }
                Ok(Some(found)) => other = other.or(Some(found)),
                Ok(None) => {}
                Err(error) => broken = broken.or(Some(error)),
            }
        }
        Err(match (needed, other, broken) {
            (Some(needed), Some(other), _) => EmbeddedError::OtherMajorVersion {
                cluster: cluster.to_owned(),
                needed,
                found: other.major,
                found_in: other.directory,
            },
            (_, _, Some(error)) => error,
            _ => EmbeddedError::NoBinaries { searched },
        })
    }

    /// Refuses to create a cluster of a version that is too old. One that exists can still be upgraded.
    fn for_cluster(self, existing: Option<u32>) -> Result<Binaries, EmbeddedError> {
        if existing.is_none() && versions::is_too_old(self.major) {
            return Err(EmbeddedError::TooOld { found: self.major, found_in: self.directory });
        }
        Ok(self)
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.directory.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.directory.join("postgres")
    }

    /// The programs in a directory; `None` when one of them is missing.
    pub(super) fn in_directory(directory: PathBuf) -> Result<Option<Binaries>, EmbeddedError> {
        let postgres = directory.join("postgres");
        if !postgres.is_file() || !directory.join("initdb").is_file() {
            return Ok(None);
        }
        let broken = |problem: String| EmbeddedError::Program { program: postgres.clone(), problem };
        let output = Command::new(&postgres)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| broken(error.to_string()))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let major = major_version(&printed)
            .ok_or_else(|| broken(format!("it printed {:?} instead of its version", printed.trim())))?;
        Ok(Some(Binaries { directory, major }))
    }
}
