//! The setting for metadata that differs from the manifest.

use std::str::FromStr;

use super::super::excerpt::Excerpt;

/// Whether such a publish is refused. The index is made from the manifest in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ManifestMismatch {
    /// The publish is refused.
    #[default]
    Refuse,
    /// The publisher gets a warning: for programs other than cargo, whose metadata is less exact. The name and the version
    /// must agree nevertheless.
    Warn,
}

impl FromStr for ManifestMismatch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "warn" => Ok(Self::Warn),
            other => Err(format!("{} is neither `refuse` nor `warn`", Excerpt(other))),
        }
    }
}
