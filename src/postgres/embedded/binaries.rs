//! The server's programs, of the major version that the cluster needs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::EmbeddedError;
use crate::postgres::installations::{candidates, major_version};

/// A directory with `initdb` and `postgres` of one major version.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    directory: PathBuf,
    major: u32,
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
                    return Ok(found);
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

    pub(super) fn initdb(&self) -> PathBuf {
        self.directory.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.directory.join("postgres")
    }

    /// The programs in a directory; `None` when one of them is missing.
    fn in_directory(directory: PathBuf) -> Result<Option<Binaries>, EmbeddedError> {
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
