//! Warnings about an accepted package.

use std::fmt;

use super::super::UnportablePath;
use super::super::disagreement::Differences;
use super::super::excerpt::{Excerpt, enumerated, listed};
use super::commit_mismatch::OtherCommit;
use super::error::{MAX_DESCRIPTION, PolicyError, UnknownDependency, unknown};
use super::labels::{MAX_CATEGORY, MAX_LABELS};
use super::namesakes::NameAdvice;

/// A warning in the response to an accepted publish, for the person who ran `cargo publish`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Categories that crates.io does not have. They are not reported as `invalid_categories`, for which cargo prints a
    /// misleading reference to crates.io.
    UnknownCategories(Vec<String>),
    /// The licence is spelled differently in SPDX.
    LicenceSpelling {
        /// The expression in the manifest.
        license: String,
        /// The spelling of SPDX.
        spdx: String,
    },
    /// The licence has a deprecated identifier.
    DeprecatedLicence {
        /// The expression in the manifest.
        license: String,
    },
    /// Dependencies that are not in this registry yet.
    UnknownDependencies(Vec<UnknownDependency>),
    /// Paths that some systems cannot unpack.
    UnportablePaths(Vec<UnportablePath>),
    /// A rule of form is broken that the operator does not enforce.
    Form(Box<PolicyError>),
    /// The metadata differs from the manifest, which the operator permits.
    Differences(Differences),
    /// The package was made from another commit than the ID token names.
    OtherCommit(OtherCommit),
    /// Names that other registries have as well.
    Name(NameAdvice),
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCategories(slugs) => {
                let slugs = listed(slugs.iter().map(String::as_str));
                write!(
                    f,
                    "crates.io has no category {slugs}: its categories are listed at https://crates.io/category_slugs"
                )
            }
            Self::LicenceSpelling { license, spdx } => {
                write!(f, "SPDX writes the license {} as {}", Excerpt(license), Excerpt(spdx))
            }
            Self::DeprecatedLicence { license } => write!(
                f,
                "the license {} has an identifier that SPDX has deprecated: https://spdx.org/licenses names its successors",
                Excerpt(license)
            ),
            Self::UnknownDependencies(dependencies) => write!(
                f,
                "this registry has no crate named {}, which the package depends on: builds that need it fail until \
                 it is published here",
                unknown(dependencies)
            ),
            Self::UnportablePaths(paths) => {
                let paths = enumerated(paths.iter().map(ToString::to_string));
                write!(f, "some systems cannot unpack {paths}: rename these paths if the package is to be built there")
            }
            Self::Form(problem) => write!(f, "{problem}{}", consequence(problem)),
            Self::Differences(differences) => write!(f, "{differences}"),
            Self::OtherCommit(other) => write!(f, "{other}"),
            Self::Name(names) => write!(f, "{names}"),
        }
    }
}

/// What a text that breaks a rule of form is good for. `About` in the database has the same limits.
fn consequence(problem: &PolicyError) -> String {
    let consequence = match problem {
        PolicyError::DescriptionTooLong { .. } => format!("lists show the first {MAX_DESCRIPTION} characters"),
        PolicyError::TextTooLong { field: "homepage" | "documentation" | "repository", .. } => {
            "lists leave it out".to_owned()
        }
        PolicyError::TooManyLabels { .. } => format!("lists and searches use the first {MAX_LABELS}"),
        PolicyError::Licence { .. } => "tools that check licenses cannot read it".to_owned(),
        PolicyError::Url { .. } => "a browser cannot open it".to_owned(),
        PolicyError::Keyword { keyword: label } | PolicyError::Category { category: label }
            if label.len() > MAX_CATEGORY =>
        {
            "lists and searches leave it out".to_owned()
        }
        PolicyError::Keyword { .. } | PolicyError::Category { .. } => "crates.io refuses it".to_owned(),
        _ => "other registries may refuse it".to_owned(),
    };
    format!(" (accepted here; {consequence})")
}
