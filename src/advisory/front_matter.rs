//! The TOML of an advisory of RustSec.

use serde::Deserialize;

/// What is read of the TOML. Unknown keys are passed over.
#[derive(Deserialize)]
pub(super) struct FrontMatter {
    pub advisory: Metadata,
    #[serde(default)]
    pub affected: Option<toml::Table>,
    pub versions: Versions,
}

#[derive(Deserialize)]
pub(super) struct Metadata {
    pub id: String,
    pub package: String,
    pub date: String,
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub references: Vec<String>,
    #[serde(default)]
    pub aliases: Vec<String>,
    #[serde(default)]
    pub related: Vec<String>,
    #[serde(default)]
    pub categories: Vec<String>,
    #[serde(default)]
    pub keywords: Vec<String>,
    #[serde(default)]
    pub informational: Option<String>,
    #[serde(default)]
    pub cvss: Option<String>,
    #[serde(default)]
    pub withdrawn: Option<String>,
    #[serde(default)]
    pub license: Option<String>,
    /// The index of the registry whose crate it is about, as in Cargo.lock; none of crates.io.
    #[serde(default)]
    pub source: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Versions {
    pub patched: Vec<String>,
    #[serde(default)]
    pub unaffected: Vec<String>,
}
