//! What lock files want, and from which upstream it comes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::config::NamedUpstream;
use crate::database::upstream_pins::Pin;
use crate::package::lock_file::{LockFile, LockedPackage};
use crate::package::lock_origin::Origin;
use crate::package::{Checksum, CrateName, Version};
use crate::process::CommandError;
use crate::web::upstreams::Resolved;

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
    let named: Vec<(&str, &str)> = upstreams.iter().map(|one| (&*one.name, &*one.index)).collect();
    Origin::of(index, &named, own_url)
}
