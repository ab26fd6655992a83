//! What becomes of a package with paths that Windows can't hold as they are.

use std::fmt;
use std::str::FromStr;

use super::super::excerpt::Excerpt;

/// Good crates have such files: a test called `aux.rs`, say.
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

/// As it is written in the configuration.
impl fmt::Display for PortablePaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        })
    }
}
