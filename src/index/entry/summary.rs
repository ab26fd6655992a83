//! What cargo's resolver uses of a version: everything in an entry that the manifest decides.

use cargo_util_schemas::manifest::RustVersion;

use crate::package::Manifest;
use crate::package::dependency::Dependency;
use crate::package::features::{self, Features};

/// The resolver's view of a version, under cargo's name for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the manifest's, under its names")]
pub struct Summary {
    pub dependencies: Vec<Dependency>,
    pub features: Features,
    pub links: Option<String>,
    pub rust_version: Option<String>,
}

impl Summary {
    /// The summary of a manifest.
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            dependencies: manifest.dependencies.clone(),
            features: manifest.features.clone(),
            links: manifest.links.clone(),
            rust_version: manifest.rust_version.clone(),
        }
    }

    /// Checks that cargo can load an entry with this summary. A [`Dependency`] is one that cargo can read.
    ///
    /// # Errors
    ///
    /// What cargo could not load.
    pub fn check_loadable(&self) -> Result<(), String> {
        if let Some(text) = &self.rust_version {
            check_rust_version(text)?;
        }
        features::check_loadable(&self.features, &self.dependencies).map_err(|error| error.to_string())
    }
}

/// Checks that cargo can read the `rust_version` of an entry.
///
/// # Errors
///
/// Why not.
pub fn check_rust_version(text: &str) -> Result<(), String> {
    let parsed = text.parse::<RustVersion>();
    parsed.map(drop).map_err(|error| format!("`rust_version` is `{text}`, which cargo cannot read: {error}"))
}
