//! What lock files want, and from which upstream it comes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::config::NamedUpstream;
use crate::database::upstream_pins::Pin;
use crate::package::lock_file::{LockFile, LockedPackage};
use crate::package::registry_urls::is_crates_io;
use crate::package::{Checksum, CrateName, RegistryUrls, Version};
use crate::process::CommandError;
use crate::web::upstreams::Resolved;

/// The name of the upstream that stands for crates.io, whatever its URL.
const CRATES_IO: &str = "crates-io";

/// A version of an upstream that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub upstream: String,
    pub name: CrateName,
    pub version: Version,
    /// What it has to have, if that is known, and who says so.
    pub checksum: Option<(Checksum, String)>,
}

impl Wanted {
    pub fn label(&self) -> String {
        format!("{}@{} of {}", self.name, self.version, self.upstream)
    }

    /// What is wrong with the version of the index.
    pub fn contradiction(&self, found: &Resolved) -> Option<String> {
        let (checksum, by) = self.checksum.as_ref().filter(|(checksum, _)| *checksum != found.checksum)?;
        Some(format!("{by} says that its SHA-256 is {checksum}, and the index says {}", found.checksum))
    }
}

impl From<Pin> for Wanted {
    fn from(pin: Pin) -> Self {
        let checksum = Some((pin.checksum, "the pin".to_owned()));
        Self { upstream: pin.upstream, name: pin.crate_name, version: pin.version, checksum }
    }
}

/// Where the packages of a registry come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Upstream(String),
    /// This registry itself.
    Own,
    Unknown,
}

/// The packages of several lock files.
#[derive(Debug, Default)]
pub struct Locked {
    /// Those of upstreams.
    pub wanted: Vec<Wanted>,
    /// Those of this registry itself, and the lock file that names each.
    pub own: Vec<(LockedPackage, String)>,
    /// The URL by which lock files name each origin.
    pub indexes: BTreeMap<Origin, String>,
    /// Those of registries that are no upstreams, with the reason.
    pub unknown: BTreeMap<String, String>,
    /// Those of git repositories.
    pub of_git: BTreeSet<String>,
}

impl Locked {
    pub fn read(files: &[PathBuf], upstreams: &[NamedUpstream], own_url: Option<&str>) -> Result<Self, CommandError> {
        let mut locked = Self::default();
        let mut seen = BTreeSet::new();
        for path in files {
            let file = read(path)?;
            locked.of_git.extend(file.of_git);
            for package in file.packages {
                if seen.insert(package.clone()) {
                    locked.add(package, path, upstreams, own_url);
                }
            }
        }
        Ok(locked)
    }

    fn add(&mut self, package: LockedPackage, path: &Path, upstreams: &[NamedUpstream], own_url: Option<&str>) {
        let origin = origin(&package.index, upstreams, own_url);
        let path = path.display().to_string();
        match &origin {
            Origin::Upstream(upstream) => {
                let checksum = package.checksum.map(|checksum| (checksum, path));
                let (upstream, name) = (upstream.clone(), package.name);
                self.wanted.push(Wanted { upstream, name, version: package.version, checksum });
            }
            Origin::Own => self.own.push((package.clone(), path)),
            Origin::Unknown => {
                let label = format!("{}@{} of {}", package.name, package.version, package.index);
                let why = "this registry is no upstream here: add it with --upstream NAME=sparse+URL";
                self.unknown.insert(label, why.to_owned());
            }
        }
        self.indexes.entry(origin).or_insert(package.index);
    }
}

fn read(path: &Path) -> Result<LockFile, CommandError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CommandError::while_doing(format!("--lock: cannot read {}", path.display()), error))?;
    LockFile::parse(&text)
        .map_err(|error| CommandError::while_doing(format!("--lock: {} cannot be used", path.display()), error))
}

/// The upstream whose index this is.
pub fn upstream_of(index: &str, upstreams: &[NamedUpstream]) -> Option<String> {
    match origin(index, upstreams, None) {
        Origin::Upstream(name) => Some(name),
        Origin::Own | Origin::Unknown => None,
    }
}

/// Where the packages of an index come from.
fn origin(index: &str, upstreams: &[NamedUpstream], own_url: Option<&str>) -> Origin {
    let is_at = |url: &str| RegistryUrls::default().with_index(&format!("sparse+{url}")).is_own(index);
    let is_it = |one: &&NamedUpstream| {
        let through = own_url.map(|own| format!("{own}/upstream/{}/index/", one.name));
        is_at(&one.index) || through.is_some_and(|url| is_at(&url))
    };
    let found = if is_crates_io(index) {
        let named = upstreams.iter().find(|one| one.name == CRATES_IO);
        named.or_else(|| upstreams.iter().find(|one| is_crates_io(&format!("sparse+{}", one.index))))
    } else {
        upstreams.iter().find(is_it)
    };
    match found {
        Some(upstream) => Origin::Upstream(upstream.name.clone()),
        None if RegistryUrls::new(own_url).is_own(index) => Origin::Own,
        None => Origin::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_comes_from_the_upstream_whose_index_its_lock_file_names() {
        let named = |name: &str, index: &str| NamedUpstream { name: name.to_owned(), index: index.to_owned() };
        let upstreams =
            [named("acme", "https://crates.acme.example/index/"), named("crates-io", "https://mirror.example/i/")];
        let of = |index: &str| match origin(index, &upstreams, Some("https://own.example")) {
            Origin::Upstream(name) => name,
            other => format!("{other:?}"),
        };
        assert_eq!(of("https://github.com/rust-lang/crates.io-index"), "crates-io");
        assert_eq!(of("sparse+https://index.crates.io/"), "crates-io");
        assert_eq!(of("sparse+https://crates.acme.example/index/"), "acme");
        assert_eq!(of("sparse+https://own.example/upstream/acme/index/"), "acme");
        assert_eq!(of("sparse+https://own.example/index/"), "Own");
        assert_eq!(of("https://own.example/git/index"), "Own");
        assert_eq!(of("sparse+https://other.example/index/"), "Unknown");
        // An upstream of another name may be crates.io, too.
        let rust = [named("rust", "https://index.crates.io/")];
        let git = "https://github.com/rust-lang/crates.io-index";
        assert_eq!(origin(git, &rust, None), Origin::Upstream("rust".to_owned()));
        assert_eq!(origin(git, &upstreams[..1], None), Origin::Unknown);
    }
}
