//! Values that cargo sends: names, versions, dependencies, manifests, publish requests, tarballs. Nothing here reads a
//! clock, a file or a socket.
//!
//! A publish is read in two steps; the cheap one that reveals nothing comes first. [`frame`] splits the request's body and
//! parses the name and the version, so that the caller can check who may publish them. Then [`PublishRequest::open`]
//! decompresses the tarball, reads its manifest and compares it with the metadata. The manifest is authoritative: cargo
//! builds from it, so the index entry is made from it, and metadata that differs is refused. The result is a package that
//! cargo can use; [`Policy::check`] then applies the operator's rules.
//!
//! Every refusal is a named variant below [`Refusal`] whose text is written for the person who ran `cargo publish`.

pub mod agreement;
pub mod analysis;
pub mod characters;
pub mod checksum;
pub mod contents;
pub mod crate_pattern;
pub mod dependency;
pub mod disagreement;
pub(crate) mod excerpt;
pub mod features;
pub mod framing_error;
pub mod index_path;
pub mod limits;
pub mod line_counts;
pub(crate) mod link_segment;
pub mod lock_file;
pub mod lock_origin;
pub mod manifest;
pub mod metadata;
pub mod name;
pub mod policy;
pub mod publish_request;
pub mod refusal;
pub mod registry_urls;
pub mod tarball;
pub mod targets;
pub mod unpackaged;
pub mod vcs_info;
pub mod version;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use bytes::Bytes;

pub use checksum::Checksum;
pub use dependency::{Dependency, DependencyKind};
pub use disagreement::Differences;
pub use limits::Limits;
pub use manifest::Manifest;
pub use metadata::Metadata;
pub use name::CrateName;
pub use policy::Policy;
pub use publish_request::{PublishRequest, frame};
pub use refusal::Refusal;
pub use registry_urls::RegistryUrls;
pub use tarball::UnportablePath;
pub use targets::Targets;
pub use version::Version;

/// A publish that has passed all checks without a database or a clock.
#[derive(Clone, Debug)]
pub struct Package {
    /// The name, in the spelling of this publish.
    pub name: CrateName,
    /// The version, with its build metadata.
    pub version: Version,
    /// The SHA-256 of [`Package::crate_file`].
    pub checksum: Checksum,
    /// The `.crate` file as it was sent.
    pub crate_file: Bytes,
    /// The manifest inside the `.crate` file.
    pub manifest: Manifest,
    /// What it builds.
    pub targets: Targets,
    /// Paths in the `.crate` file that not every file system can hold as they are.
    pub unportable: Vec<UnportablePath>,
    /// The commit that it was made from, if it says so.
    pub vcs_info: Option<vcs_info::VcsInfo>,
    /// Permitted differences between the metadata and the manifest.
    pub differences: Differences,
    /// The metadata JSON as it was sent, unknown fields included.
    pub metadata: serde_json::Value,
}

impl Package {
    /// The crates of this registry that it depends on, except itself.
    pub fn dependencies_here(&self) -> BTreeSet<&CrateName> {
        let dependencies = self.manifest.dependencies.iter().filter(|dependency| dependency.registry.is_none());
        dependencies.map(|dependency| &dependency.name).filter(|name| **name != self.name).collect()
    }
}
