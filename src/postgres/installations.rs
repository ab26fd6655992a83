//! Where PostgreSQL's programs are installed. Distributions keep several major versions side by side, mostly outside
//! PATH.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The directories of Debian's and of the PostgreSQL project's packages: the directory above the versions, the prefix
/// of the version in a name, and the path from there to the programs.
const INSTALLED: [(&str, &str, &str); 2] = [("/usr/lib/postgresql", "", "bin"), ("/usr", "pgsql-", "bin")];

/// Directories that may hold PostgreSQL's programs, and the same as patterns for a message.
pub(super) fn candidates(given: Option<&Path>) -> (Vec<PathBuf>, Vec<String>) {
    match given {
        Some(directory) => (vec![directory.to_owned()], vec![directory.display().to_string()]),
        None => (
            on_path().into_iter().chain(installed()).collect(),
            vec!["PATH".to_owned(), "/usr/lib/postgresql/*/bin".to_owned(), "/usr/pgsql-*/bin".to_owned()],
        ),
    }
}

/// The major version of a program of PostgreSQL.
pub(super) fn version_of(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    major_version(&String::from_utf8_lossy(&output.stdout))
}

/// The first number of a version line such as `postgres (PostgreSQL) 15.18 (Debian …)` or `… 18beta1`.
pub(super) fn major_version(printed: &str) -> Option<u32> {
    leading_number(printed.split_once("(PostgreSQL) ")?.1)
}

/// The number at the beginning of a text: the major version in `PG_VERSION`, in a directory's name and in a program's
/// output.
pub(super) fn leading_number(text: &str) -> Option<u32> {
    let digits = text.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The directory of the `postgres` that a shell would run. The shell does the search, because it interprets PATH. Links
/// are followed, because a directory with a link to `postgres` often lacks the other programs.
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
