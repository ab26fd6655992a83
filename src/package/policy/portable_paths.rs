//! The setting for packages with paths that Windows cannot store.

use std::fmt;
use std::str::FromStr;

use super::super::excerpt::Excerpt;

/// Whether such packages are refused. Useful crates contain such files, for example a test called `aux.rs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortablePaths {
    /// The publisher gets a warning.
    #[default]
    Warn,
    /// The package is refused.
    Refuse,
}

impl FromStr for PortablePaths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "warn" => Ok(Self::Warn),
            "refuse" => Ok(Self::Refuse),
            other => Err(format!("{} is neither `warn` nor `refuse`", Excerpt(other))),
        }
    }
}

/// The form in the configuration.
impl fmt::Display for PortablePaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        })
    }
}
