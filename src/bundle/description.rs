//! `bundle.json`: what a bundle has.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Its name.
pub const DESCRIPTION: &str = "bundle.json";
/// The name of the registry that wrote a bundle, in it. No upstream has one with `_`.
pub const OWN_REGISTRY: &str = "own_registry";
/// The newest format.
pub const FORMAT: u32 = 1;

/// What a bundle has, when and by what it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    pub format: u32,
    pub created_at: DateTime<Utc>,
    /// The program and its version.
    pub created_by: String,
    pub sources: Vec<Source>,
}

/// The crates of one registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The name of the upstream, or `own_registry` for the registry that wrote the bundle.
    pub name: String,
    /// Where its files are: `.`, or the name of a directory.
    pub directory: String,
    /// The URL of its index, as `--upstream` takes it.
    pub index: String,
    /// The URL of its index in lock files. None for crates.io.
    pub replaces: Option<String>,
    pub crates: u64,
    pub versions: u64,
    /// Of all crate files.
    pub bytes: u64,
}
