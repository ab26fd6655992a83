//! The rules of the operator that a package breaks.

use super::super::excerpt::{Excerpt, enumerated, listed};
use super::super::{CrateName, UnportablePath};
use super::address::Address;
use super::commit_mismatch::OtherCommit;
use super::labels::{MAX_CATEGORY, MAX_KEYWORD, MAX_LABELS};
use super::licence::LicenceError;
use super::namesakes::{Namesake, there};
use super::registries::AllowedRegistries;
use super::required::Field;

/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 1000;

/// A broken rule of the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Fields are missing.
    #[error("Cargo.toml lacks fields that this registry requires ({}): add them to `[package]` and publish again", enumerated(.missing.iter().map(ToString::to_string)))]
    Missing {
        /// All missing fields.
        missing: Vec<Field>,
    },
    /// A text contains a NUL.
    #[error("in Cargo.toml, `{field}` contains a NUL character (\\u0000), which cannot be stored: remove it")]
    NulCharacter {
        /// The field.
        field: &'static str,
    },
    /// The description is too long.
    #[error(
        "in Cargo.toml, the description has {length} characters: shorten it to at most {MAX_DESCRIPTION}, the README has room for more"
    )]
    DescriptionTooLong {
        /// Its length in characters.
        length: usize,
    },
    /// Another text is too long.
    #[error("in Cargo.toml, `{field}` has {length} characters: shorten it to at most {limit}")]
    TextTooLong {
        /// The field.
        field: &'static str,
        /// Its length in characters.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The licence is not an SPDX expression.
    #[error("in Cargo.toml, the license {} is not an SPDX expression ({problem}): join identifiers of https://spdx.org/licenses with `OR` and `AND`, write `LicenseRef-NAME` for terms of your own, or use `license-file` instead", Excerpt(.license))]
    Licence {
        /// The licence.
        license: String,
        /// The parser's error and its position.
        problem: LicenceError,
    },
    /// A URL is not http or https.
    #[error("in Cargo.toml, `{field}` is {}, which is not a URL with http or https: correct it or leave it out", Excerpt(.url))]
    Url {
        /// The field.
        field: &'static str,
        /// The URL.
        url: String,
        /// What it is instead.
        kind: Address,
    },
    /// There are too many keywords or categories.
    #[error("in Cargo.toml, there are {count} {field}: name at most {MAX_LABELS}")]
    TooManyLabels {
        /// The field.
        field: &'static str,
        /// The number.
        count: usize,
    },
    /// A keyword is invalid.
    #[error("in Cargo.toml, the keyword {} is not well-formed: start it with an ASCII letter or digit and continue with letters, digits, `_`, `-` and `+`, at most {MAX_KEYWORD} characters", Excerpt(.keyword))]
    Keyword {
        /// The keyword.
        keyword: String,
    },
    /// A category is invalid.
    #[error("in Cargo.toml, the category {} is not well-formed: choose a slug of https://crates.io/category_slugs, or write your own with a-z, 0-9, `:`, `+`, `_` and `-`, at most {MAX_CATEGORY} characters", Excerpt(.category))]
    Category {
        /// The category.
        category: String,
    },
    /// A dependency matches every version.
    #[error("in Cargo.toml, the {} requires `*`, which matches every future version and is not allowed in this registry: name the version it was tested with, as in `1.2`", .dependency)]
    Wildcard {
        /// The dependency and its kind.
        dependency: String,
    },
    /// A dependency comes from a registry that is not allowed.
    #[error("in Cargo.toml, the {dependency} comes from the registry {}, which this registry does not allow: {}", Excerpt(.registry), other_source(.allowed))]
    Registry {
        /// The dependency and its kind.
        dependency: String,
        /// Its registry.
        registry: String,
        /// The allowed registries.
        allowed: AllowedRegistries,
    },
    /// Dependencies are not in this registry.
    #[error("this registry has no crate named {}, which the package depends on: publish it here first, or correct the dependency's name or registry", unknown(.0))]
    UnknownDependencies(Vec<UnknownDependency>),
    /// Upstreams have the name of a new crate.
    #[error("{}, and this registry refuses such a name for `{name}`: choose a name that no one else has, or let an admin publish the first version", there(.by))]
    Namesakes {
        /// The new crate.
        name: CrateName,
        /// Who has the name.
        by: Vec<Namesake>,
    },
    /// Some systems cannot unpack the paths.
    #[error("some systems cannot unpack {}: rename these paths or leave them out with `exclude` in Cargo.toml", enumerated(.0.iter().map(ToString::to_string)))]
    UnportablePaths(Vec<UnportablePath>),
    /// The package was made from another commit than the ID token names.
    #[error(transparent)]
    OtherCommit(#[from] OtherCommit),
}

/// A dependency on a crate that this registry does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDependency {
    /// The crate that is depended on.
    pub name: CrateName,
    /// The crate here whose name differs only in spelling. cargo would not find it under the other spelling.
    pub spelling: Option<CrateName>,
}

fn other_source(allowed: &AllowedRegistries) -> String {
    match allowed.to_string().as_str() {
        "none" => "publish that crate here".to_owned(),
        urls => format!("publish that crate here, or take it from {}", listed(urls.split(','))),
    }
}

pub(super) fn unknown(dependencies: &[UnknownDependency]) -> String {
    enumerated(dependencies.iter().map(|dependency| match &dependency.spelling {
        Some(spelling) => format!("`{}` (it is called `{spelling}` here)", dependency.name),
        None => format!("`{}`", dependency.name),
    }))
}
