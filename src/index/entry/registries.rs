//! How an entry writes the registry of a dependency.
//!
//! A manifest names each registry but crates.io, and an entry each but its own. So an entry follows from a manifest only
//! together with the URLs of the registry that the entry is in.

use crate::package::RegistryUrls;
use crate::package::dependency::Dependency;
use crate::package::registry_urls::{CRATES_IO_INDEX, is_crates_io};
use crate::package::unpackaged::registry_name;

/// The registries of dependencies, as the entries of this registry write them.
#[derive(Clone, Debug)]
pub enum Registries {
    /// The crates come from another registry.
    Imported {
        /// The URLs of this registry and of the other one, since the crates move together.
        urls: RegistryUrls,
        crates_io: CratesIo,
        /// The other registry is crates.io.
        from_crates_io: bool,
    },
    /// The crates are here. Under which URLs this registry was known when they came is not recorded, so a dependency that
    /// the line has in this registry stays there, if the manifest has it in any registry but crates.io.
    Recorded {
        /// The URLs of this registry that are known now.
        urls: RegistryUrls,
        /// Whether dependencies on crates.io count as dependencies on this registry. None: as the line has it.
        crates_io_here: Option<bool>,
    },
}

/// Where dependencies on crates.io lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CratesIo {
    /// To crates.io.
    #[default]
    CratesIo,
    /// To this registry, which has all crates that they need.
    Here,
}

impl Registries {
    /// The URLs with which a manifest is read.
    pub(super) fn urls(&self) -> RegistryUrls {
        match self {
            Self::Imported { urls, .. } | Self::Recorded { urls, .. } => urls.clone(),
        }
    }

    /// The registry of a dependency in a line: None is the registry that the line is from.
    pub(super) fn of_line(&self, registry: Option<&str>) -> Result<Option<String>, String> {
        let urls = match self {
            Self::Imported { urls, .. } => urls.clone(),
            // cargo takes a registry that names itself by a URL for another one.
            Self::Recorded { .. } => RegistryUrls::default(),
        };
        let resolved = registry.map(|url| urls.resolve(url)).transpose()?.flatten();
        Ok(match self {
            Self::Imported { crates_io: CratesIo::Here, .. } => resolved.filter(|url| !is_crates_io(url)),
            Self::Imported { from_crates_io: true, .. } if registry.is_none() => Some(CRATES_IO_INDEX.to_owned()),
            _ => resolved,
        })
    }

    /// Whether every dependency on crates.io counts as one on this registry.
    pub fn take_crates_io(&self) -> bool {
        match self {
            Self::Imported { crates_io, .. } => *crates_io == CratesIo::Here,
            Self::Recorded { crates_io_here, .. } => *crates_io_here == Some(true),
        }
    }

    /// Sets the registry of a manifest's dependency. `shown` are the dependencies of its line. True if a dependency on
    /// crates.io becomes one on this registry.
    pub(super) fn settle(&self, dependency: &mut Dependency, shown: &[Dependency]) -> Result<bool, String> {
        let Some(url) = &dependency.registry else { return Ok(false) };
        let in_line = matching(dependency, shown);
        if let Some(name) = registry_name(url) {
            let Some(in_line) = in_line else {
                return Err(format!(
                    "the dependency `{}` names the registry `{name}`, which means nothing outside the publisher's \
                     configuration, and the index line does not have the dependency",
                    dependency.key()
                ));
            };
            dependency.registry.clone_from(&in_line.registry);
            return Ok(false);
        }
        let is_here_in_line = in_line.is_some_and(|shown| shown.registry.is_none());
        let (is_crates_io, stays_here) = match self {
            _ if is_crates_io(url) => (true, self.take_crates_io()),
            Self::Imported { .. } => (false, false),
            Self::Recorded { .. } => (false, is_here_in_line),
        };
        let as_in_line = matches!(self, Self::Recorded { crates_io_here: None, .. }) && is_here_in_line;
        if stays_here || (is_crates_io && as_in_line) {
            dependency.registry = None;
        }
        Ok(is_crates_io && dependency.registry.is_none())
    }
}

/// The dependency of a line that is this one of the manifest. A line can have lost the rename, the target or the kind.
fn matching<'a>(dependency: &Dependency, shown: &'a [Dependency]) -> Option<&'a Dependency> {
    let exact = |one: &&Dependency| {
        (one.key(), one.kind, &one.target) == (dependency.key(), dependency.kind, &dependency.target)
    };
    shown.iter().find(exact).or_else(|| shown.iter().find(|one| one.name == dependency.name))
}
