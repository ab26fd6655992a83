//! The setting for descriptive metadata of a wrong form.

use std::str::FromStr;

use super::super::excerpt::Excerpt;
use super::address::Address;
use super::error::PolicyError;

/// Which rules of form refuse a publish. Those that are broken all the same cause warnings.
///
/// A rule of form is about a text that people read. Rules about what cargo resolves, builds or unpacks, hidden
/// characters, and URLs that a browser would run are not among them: nothing relaxes those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetadataRules {
    /// All of them refuse.
    #[default]
    Strict,
    /// All refuse, except for what is usual within a company: terms of its own as the license, and the address of a
    /// repository for git. The default of a private registry.
    Private,
    /// All warn.
    Warn,
}

impl MetadataRules {
    /// Whether a package with this problem is accepted with a warning.
    pub(super) fn permit(self, problem: &PolicyError) -> bool {
        match (self, problem) {
            (
                _,
                PolicyError::Url { kind: Address::OtherScheme, .. } | PolicyError::TextTooLong { field: "links", .. },
            ) => false,
            (Self::Private, PolicyError::Licence { .. }) => true,
            (Self::Private, PolicyError::Url { field, kind, .. }) => {
                *field == "repository" && *kind == Address::Repository
            }
            (
                Self::Warn,
                PolicyError::DescriptionTooLong { .. }
                | PolicyError::TextTooLong { .. }
                | PolicyError::Licence { .. }
                | PolicyError::Url { .. }
                | PolicyError::TooManyLabels { .. }
                | PolicyError::Keyword { .. }
                | PolicyError::Category { .. },
            ) => true,
            _ => false,
        }
    }
}

impl FromStr for MetadataRules {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "strict" => Ok(Self::Strict),
            "warn" => Ok(Self::Warn),
            other => Err(format!("{} is neither `strict` nor `warn`", Excerpt(other))),
        }
    }
}
