//! The metadata JSON of a publish (the Cargo book, "Registry web API", publish).
//!
//! It comes from clients of many versions and from other programs than cargo, so unknown fields are ignored, and a missing
//! field means the same as null. So does an empty text where cargo sends null: other programs fill in what they do not
//! have. Only the fields that identify the version or a dependency are required.

use serde::{Deserialize, Deserializer};

use super::dependency::{Artifact, Dependency, DependencyError, DependencyKind, Unparsed};
use super::excerpt::Excerpt;
use super::features::Features;
use super::registry_urls::RegistryUrls;

/// The metadata as cargo sends it.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the fields are the Cargo book's, under its names")]
pub struct Metadata {
    pub name: String,
    pub vers: String,
    #[serde(default, deserialize_with = "or_default")]
    pub deps: Vec<MetadataDependency>,
    #[serde(default, deserialize_with = "or_default")]
    pub features: Features,
    #[serde(default, deserialize_with = "or_default")]
    pub authors: Vec<String>,
    pub description: Option<String>,
    pub documentation: Option<String>,
    pub homepage: Option<String>,
    pub readme: Option<String>,
    pub readme_file: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub keywords: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub categories: Vec<String>,
    pub license: Option<String>,
    pub license_file: Option<String>,
    pub repository: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub links: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub rust_version: Option<String>,
}

/// A dependency as cargo sends it.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the fields are the Cargo book's, under its names")]
pub struct MetadataDependency {
    pub name: String,
    pub version_req: String,
    #[serde(default, deserialize_with = "or_default")]
    pub features: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub optional: bool,
    pub default_features: Option<bool>,
    #[serde(default, deserialize_with = "text")]
    pub target: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub kind: DependencyKind,
    #[serde(default, deserialize_with = "text")]
    pub registry: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub explicit_name_in_toml: Option<String>,
    pub artifact: Option<Vec<String>>,
    #[serde(default, deserialize_with = "text")]
    pub bindep_target: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub lib: bool,
}

/// Why the metadata's dependencies are invalid.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// A dependency is invalid.
    #[error("in the metadata, {0}")]
    Dependency(#[from] DependencyError),
    /// A dependency has an invalid registry URL.
    #[error("in the metadata, the dependency {} names the registry {}, which is not the URL of an index: {problem}", Excerpt(.name), Excerpt(.registry))]
    Registry {
        /// The dependency.
        name: String,
        /// The registry.
        registry: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl MetadataDependency {
    /// Converts the dependency to the form that is compared with the manifest's. A missing registry in the metadata means the
    /// registry that the crate is published to.
    ///
    /// # Errors
    ///
    /// A [`MetadataError`] if cargo could not read the dependency back from an index entry.
    pub fn parse(&self, urls: &RegistryUrls) -> Result<Dependency, MetadataError> {
        let resolve = |registry: &String| {
            urls.resolve(registry).map_err(|problem| MetadataError::Registry {
                name: self.name.clone(),
                registry: registry.clone(),
                problem,
            })
        };
        Ok(Dependency::new(Unparsed {
            key: self.explicit_name_in_toml.as_ref().unwrap_or(&self.name),
            package: Some(&self.name),
            requirement: &self.version_req,
            features: &self.features,
            optional: self.optional,
            default_features: self.default_features.unwrap_or(true),
            target: self.target.as_deref(),
            kind: self.kind,
            registry: self.registry.as_ref().map(resolve).transpose()?.flatten(),
            public: None,
            artifact: self.artifact.as_ref().map(|kinds| Artifact {
                kinds: kinds.clone(),
                target: self.bindep_target.clone(),
                lib: self.lib,
            }),
        })?)
    }
}

fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A text, or none if it is empty.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer).map(|text: Option<String>| text.filter(|text| !text.is_empty()))
}
