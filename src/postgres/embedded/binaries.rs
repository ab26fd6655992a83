//! Where PostgreSQL's server programs are. Distributions keep several major versions side by side and mostly off
//! PATH; a cluster can be run only by the major version that made it.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::EmbeddedError;

/// Debian's and the PostgreSQL project's own packages: the directory above the versions, what stands before the
/// version number in a name, and the way from there to the programs.
const INSTALLED: [(&str, &str, &str); 2] = [("/usr/lib/postgresql", "", "bin"), ("/usr", "pgsql-", "bin")];

/// A directory with `initdb` and `postgres` of one major version.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    directory: PathBuf,
    major: u32,
}

impl Binaries {
    /// The programs for a cluster of the version `wanted`, or the first that are found for a new one.
    pub(super) fn find(given: Option<&Path>, wanted: Option<u32>, cluster: &Path) -> Result<Binaries, EmbeddedError> {
        let (candidates, searched) = candidates(given);
        let mut other = None;
        let mut broken = None;
        for directory in candidates {
            match Binaries::in_directory(directory) {
                Ok(Some(found)) if wanted.is_none_or(|wanted| found.major == wanted) => {
                    return Ok(found);
                }
                Ok(Some(found)) => other = other.or(Some(found)),
                Ok(None) => {}
                Err(error) => broken = broken.or(Some(error)),
            }
        }
        Err(match (wanted, other, broken) {
            (Some(wanted), Some(other), _) => EmbeddedError::OtherMajorVersion {
                cluster: cluster.to_owned(),
                wanted,
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

    /// `None` when one of the programs isn't there.
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
        let said = String::from_utf8_lossy(&output.stdout);
        let major =
            major_version(&said).ok_or_else(|| broken(format!("it doesn't tell its version but {:?}", said.trim())))?;
        Ok(Some(Binaries { directory, major }))
    }
}

/// Directories that may hold PostgreSQL's programs, and how that is told.
pub(crate) fn candidates(given: Option<&Path>) -> (Vec<PathBuf>, Vec<String>) {
    match given {
        Some(directory) => (vec![directory.to_owned()], vec![directory.display().to_string()]),
        None => (
            on_path().into_iter().chain(installed()).collect(),
            vec!["PATH".to_owned(), "/usr/lib/postgresql/*/bin".to_owned(), "/usr/pgsql-*/bin".to_owned()],
        ),
    }
}

/// The major version that a program of PostgreSQL says it is of.
pub(crate) fn version_of(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    major_version(&String::from_utf8_lossy(&output.stdout))
}

/// The first number of `postgres (PostgreSQL) 15.18 (Debian …)`, `… 18beta1` and the like.
fn major_version(said: &str) -> Option<u32> {
    leading_number(said.split_once("(PostgreSQL) ")?.1)
}

/// The number a text begins with: the major version in `PG_VERSION`, in a directory's name and in a program's output.
pub(super) fn leading_number(text: &str) -> Option<u32> {
    let digits = text.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The directory of the `postgres` that a shell would run. The shell is asked because PATH is its business; links are
/// followed because a link to `postgres` often stands without its siblings.
fn on_path() -> Option<PathBuf> {
    let output = Command::new("/bin/sh").args(["-c", "command -v postgres"]).stdin(Stdio::null()).output().ok()?;
    let found = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end());
    Some(found.canonicalize().ok()?.parent()?.to_owned())
}

/// The directories of the packages, newest version first.
fn installed() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (above, prefix, below) in INSTALLED {
        for entry in fs::read_dir(above).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| leading_number(name.strip_prefix(prefix)?));
            if let Some(version) = version {
                found.push((version, entry.path().join(below)));
            }
        }
    }
    found.sort_by_key(|(version, _)| Reverse(*version));
    found.into_iter().map(|(_, directory)| directory).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_releases_and_previews() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 9.6.24\n"), Some(9));
        assert_eq!(major_version("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major_version("usage: postgres\n"), None);
    }
}
