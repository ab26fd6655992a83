//! The arguments CRATE or CRATE@VERSION, and the same with a pattern of crates.

use std::str::FromStr;

use crate::package::crate_pattern::{CratePattern, InvalidPattern};
use crate::package::name::NameError;
use crate::package::{CrateName, Version};

/// A crate, or one version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateOrVersion {
    pub name: CrateName,
    pub version: Option<Version>,
}

/// Crates, or one version of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CratesOrVersion {
    pub crates: CratePattern,
    pub version: Option<Version>,
}

/// The text before the version, and the version.
fn divided(text: &str) -> Result<(&str, Option<Version>), String> {
    let (krate, version) = text.split_once('@').map_or((text, None), |(krate, version)| (krate, Some(version)));
    let version = version.map(str::parse).transpose();
    Ok((krate, version.map_err(|error: crate::package::version::VersionError| error.to_string())?))
}

impl FromStr for CrateOrVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (krate, version) = divided(text)?;
        let name = krate.parse().map_err(|error: NameError| error.to_string())?;
        Ok(Self { name, version })
    }
}

impl FromStr for CratesOrVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (krate, version) = divided(text)?;
        if krate.ends_with('*') {
            let crates = krate.parse().map_err(|error: InvalidPattern| error.to_string())?;
            return Ok(Self { crates, version });
        }
        let name: CrateName = krate.parse().map_err(|error: NameError| error.to_string())?;
        Ok(Self { crates: CratePattern::from(&name), version })
    }
}
