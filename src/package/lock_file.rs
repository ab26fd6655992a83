//! Cargo's lock file, as far as its packages come from registries (the Cargo book, "Cargo.toml vs Cargo.lock"; formats 1 to 4).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::checksum::ChecksumError;
use super::name::NameError;
use super::version::VersionError;
use super::{Checksum, CrateName, Version};

/// The newest format that is known.
const NEWEST: i64 = 4;

/// A package of a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedPackage {
    /// The URL of the registry's index: a sparse one begins with `sparse+`, a git one has no prefix.
    pub index: String,
    pub name: CrateName,
    pub version: Version,
    /// None if the file has none for it.
    pub checksum: Option<Checksum>,
}

/// What a lock file names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockFile {
    /// The packages of registries, in the order of the file.
    pub packages: Vec<LockedPackage>,
    /// The packages of git repositories, as `NAME VERSION (SOURCE)`.
    pub of_git: Vec<String>,
}

/// Why a file is no lock file.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    #[error("it is no TOML: {0}")]
    Toml(#[from] toml::de::Error),
    #[error("it has the format {0}, and the newest one that is known here is {NEWEST}: use a newer supercargo")]
    Format(i64),
    #[error("it has no packages: name a Cargo.lock")]
    NoPackages,
    #[error("the package {package:?}: {problem}")]
    Package { package: String, problem: String },
}

#[derive(Deserialize)]
struct File {
    version: Option<i64>,
    package: Option<Vec<Package>>,
    /// In the first versions of format 1 the main package is apart.
    root: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    metadata: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

impl LockFile {
    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, LockFileError> {
        let file: File = toml::from_str(text)?;
        if let Some(format) = file.version.filter(|format| !(1..=NEWEST).contains(format)) {
            return Err(LockFileError::Format(format));
        }
        if file.package.is_none() && file.root.is_none() && file.version.is_none() {
            return Err(LockFileError::NoPackages);
        }
        let mut found = Self::default();
        for package in file.package.unwrap_or_default() {
            let Some(source) = package.source.as_deref() else { continue };
            if source.starts_with("git+") {
                found.of_git.push(format!("{} {} ({source})", package.name, package.version));
            } else if let Some(index) = index_of(source) {
                found.packages.push(package.read(index, source, &file.metadata)?);
            }
        }
        Ok(found)
    }
}

/// The index of a source, if that is a registry.
fn index_of(source: &str) -> Option<&str> {
    // A lock file that was made with a token or a set of features has more after this.
    let source = source.split('#').next().unwrap_or(source);
    source.strip_prefix("registry+").or_else(|| Some(source).filter(|source| source.starts_with("sparse+")))
}

impl Package {
    fn read(
        &self,
        index: &str,
        source: &str,
        metadata: &BTreeMap<String, toml::Value>,
    ) -> Result<LockedPackage, LockFileError> {
        let problem = |problem: String| LockFileError::Package { package: self.name.clone(), problem };
        let name = self.name.parse().map_err(|error: NameError| problem(error.to_string()))?;
        let version = self.version.parse().map_err(|error: VersionError| problem(error.to_string()))?;
        // Format 1 has all checksums in one table.
        let key = format!("checksum {} {} ({source})", self.name, self.version);
        let checksum = self.checksum.as_deref().or_else(|| metadata.get(&key).and_then(toml::Value::as_str));
        let checksum = checksum.filter(|text| *text != "<none>").map(str::parse).transpose();
        let checksum = checksum.map_err(|error: ChecksumError| problem(error.to_string()))?;
        Ok(LockedPackage { index: index.to_owned(), name, version, checksum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATES_IO: &str = "https://github.com/rust-lang/crates.io-index";

    fn sum(of: &str) -> Checksum {
        Checksum::of(of.as_bytes())
    }

    fn locked(index: &str, name: &str, checksum: Option<Checksum>) -> LockedPackage {
        let (name, version) = (name.parse().unwrap(), "1.0.0".parse().unwrap());
        LockedPackage { index: index.to_owned(), name, version, checksum }
    }

    #[test]
    fn checksums_are_with_the_packages_or_in_a_table() {
        for format in ["", "version = 3\n", "version = 4\n"] {
            let text = format!(
                "{format}[[package]]\nname = \"own\"\nversion = \"0.1.0\"\ndependencies = [\"foo\"]\n\n\
                 [[package]]\nname = \"foo\"\nversion = \"1.0.0\"\nsource = \"registry+{CRATES_IO}\"\nchecksum = \"{}\"\n\n\
                 [[package]]\nname = \"bar\"\nversion = \"1.0.0\"\nsource = \"sparse+https://acme.example/index/\"\n",
                sum("foo"),
            );
            let read = LockFile::parse(&text).unwrap();
            let bar = locked("sparse+https://acme.example/index/", "bar", None);
            assert_eq!(read.packages, [locked(CRATES_IO, "foo", Some(sum("foo"))), bar]);
        }
        let first = format!(
            "[root]\nname = \"own\"\nversion = \"0.1.0\"\n\n\
             [[package]]\nname = \"foo\"\nversion = \"1.0.0\"\nsource = \"registry+{CRATES_IO}\"\n\n\
             [[package]]\nname = \"bar\"\nversion = \"1.0.0\"\nsource = \"registry+{CRATES_IO}\"\n\n\
             [metadata]\n\"checksum foo 1.0.0 (registry+{CRATES_IO})\" = \"{}\"\n\
             \"checksum bar 1.0.0 (registry+{CRATES_IO})\" = \"<none>\"\n",
            sum("foo"),
        );
        let read = LockFile::parse(&first).unwrap();
        assert_eq!(read.packages, [locked(CRATES_IO, "foo", Some(sum("foo"))), locked(CRATES_IO, "bar", None)]);
    }

    #[test]
    fn packages_of_git_repositories_are_told_apart() {
        let text =
            "version = 4\n[[package]]\nname = \"foo\"\nversion = \"1.0.0\"\nsource = \"git+https://h/foo#12ab\"\n";
        let read = LockFile::parse(text).unwrap();
        assert_eq!(
            (read.packages.len(), &read.of_git[..]),
            (0, &["foo 1.0.0 (git+https://h/foo#12ab)".to_owned()][..])
        );
    }

    #[test]
    fn what_is_no_lock_file_is_refused() {
        let refused = |text: &str| LockFile::parse(text).unwrap_err().to_string();
        assert!(refused("version = 5\n").contains("the format 5, and the newest one that is known here is 4"));
        assert!(refused("name = \"foo\"\n").contains("it has no packages"));
        assert!(refused("<html>").starts_with("it is no TOML"));
        let foo = format!("[[package]]\nname = \"foo\"\nversion = \"1.0.0\"\nsource = \"registry+{CRATES_IO}\"\n");
        assert!(refused(&format!("{foo}checksum = \"00\"\n")).contains("the package \"foo\": `00` is not a SHA-256"));
        assert!(refused(&foo.replace("1.0.0", "1")).contains("the package \"foo\""));
        assert!(refused(&foo.replace("\"foo\"", "\"../foo\"")).contains("the package \"../foo\""));
        // The file of a workspace without dependencies.
        assert_eq!(LockFile::parse("version = 4\n").unwrap(), LockFile::default());
    }
}
