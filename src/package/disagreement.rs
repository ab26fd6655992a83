//! A difference between the metadata and the manifest of a publish.

/// A difference between the metadata and the manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the metadata and Cargo.toml in the package disagree about {field}: the metadata says {sent}, Cargo.toml says {packaged}: publish with `cargo publish`, which takes both from one source"
)]
pub struct Disagreement {
    /// What they disagree about.
    pub field: String,
    /// The value in the metadata.
    pub sent: String,
    /// The value in the manifest.
    pub packaged: String,
}
