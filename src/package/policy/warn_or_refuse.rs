//! What a setting does about packages that are unwise.

use std::fmt;
use std::str::FromStr;

use super::super::excerpt::Excerpt;

/// Whether such packages are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WarnOrRefuse {
    /// The publisher gets a warning.
    #[default]
    Warn,
    /// The package is refused.
    Refuse,
}

impl FromStr for WarnOrRefuse {
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
impl fmt::Display for WarnOrRefuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        })
    }
}
