//! What a publisher should know about a package that was accepted all the same.

use std::fmt;

use super::super::UnportablePath;
use super::super::excerpt::{Excerpt, enumerated, listed};
use super::{UnknownDependency, unknown};

/// A warning beside a success. Its text is for the person who ran `cargo publish`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// crates.io has no such categories. cargo would print a reference to its pages for what is reported as an invalid
    /// category, which would mislead here.
    UnknownCategories(Vec<String>),
    /// The licence is written in another way than SPDX has it.
    LicenceSpelling {
        /// As it is written.
        license: String,
        /// As SPDX has it.
        spdx: String,
    },
    /// The licence has an identifier that SPDX has given up.
    DeprecatedLicence {
        /// As it is written.
        license: String,
    },
    /// Dependencies are not in this registry, at least not yet.
    UnknownDependencies(Vec<UnknownDependency>),
    /// Some systems can't unpack the package as it is.
    UnportablePaths(Vec<UnportablePath>),
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCategories(slugs) => {
                let slugs = listed(slugs.iter().map(String::as_str));
                write!(
                    f,
                    "crates.io has no category {slugs}; its categories are listed at https://crates.io/category_slugs"
                )
            }
            Self::LicenceSpelling { license, spdx } => {
                write!(f, "SPDX writes the license {} as {}", Excerpt(license), Excerpt(spdx))
            }
            Self::DeprecatedLicence { license } => write!(
                f,
                "the license {} has an identifier that SPDX has deprecated; https://spdx.org/licenses names its successors",
                Excerpt(license)
            ),
            Self::UnknownDependencies(dependencies) => write!(
                f,
                "this registry has no crate named {}, which the package depends on; builds that need it fail until \
                 it is published here",
                unknown(dependencies)
            ),
            Self::UnportablePaths(paths) => {
                let paths = enumerated(paths.iter().map(ToString::to_string));
                write!(
                    f,
                    "not every system can unpack these paths of the package; rename them if it is to be built there: {paths}"
                )
            }
        }
    }
}
