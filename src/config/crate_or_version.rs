//! The argument CRATE or CRATE@VERSION.

use std::str::FromStr;

use crate::package::{CrateName, Version};

/// A crate, or one version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateOrVersion {
    pub name: CrateName,
    pub version: Option<Version>,
}

impl FromStr for CrateOrVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (krate, version) = text.split_once('@').map_or((text, None), |(krate, version)| (krate, Some(version)));
        let name = krate.parse().map_err(|error: crate::package::name::NameError| error.to_string())?;
        let version = version.map(str::parse).transpose();
        let version = version.map_err(|error: crate::package::version::VersionError| error.to_string())?;
        Ok(Self { name, version })
    }
}
