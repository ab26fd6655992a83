//! The operator's rules for packages, beyond what cargo needs.
//!
//! The rules apply to the manifest only, since nothing reads the description or licence of the metadata. A publish that is
//! only unwise is accepted with [`Advice`], which cargo prints as warnings.

mod advice;
pub mod labels;
mod lengths;
pub mod licence;
pub mod portable_paths;
pub mod registries;
pub mod required;

#[cfg(test)]
mod tests;

use semver::VersionReq;
use url::Url;

use super::dependency::Dependency;
use super::excerpt::{Excerpt, enumerated, listed};
use super::{CrateName, Manifest, Refusal, UnportablePath};
pub use advice::Advice;
use labels::{MAX_CATEGORY, MAX_KEYWORD, MAX_LABELS};
pub use lengths::MAX_URL;
use licence::{LicenceError, Spelling};
pub use portable_paths::PortablePaths;
pub use registries::AllowedRegistries;
pub use required::{Field, RequiredMetadata};

/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 1000;

/// The rules of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The fields that a manifest must have.
    pub required_metadata: RequiredMetadata,
    /// Whether a dependency may require `*`.
    pub allow_wildcard_dependencies: bool,
    /// The other registries that dependencies may come from.
    pub allowed_registries: AllowedRegistries,
    /// Whether dependencies on this registry must exist already. If not, crates may be published in any order and with
    /// circular dependencies.
    pub require_known_dependencies: bool,
    /// Whether paths that Windows cannot store are refused.
    pub portable_paths: PortablePaths,
}

/// A dependency on a crate that this registry does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDependency {
    /// The crate that is depended on.
    pub name: CrateName,
    /// The crate here whose name differs only in spelling. cargo would not find it under the other spelling.
    pub spelling: Option<CrateName>,
}

/// A broken rule of the operator.
#[derive(Debug, thiserror::Error)]
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
    #[error("in Cargo.toml, the keyword {} is not allowed: start it with an ASCII letter or digit and continue with letters, digits, `_`, `-` and `+`, at most {MAX_KEYWORD} characters", Excerpt(.keyword))]
    Keyword {
        /// The keyword.
        keyword: String,
    },
    /// A category is invalid.
    #[error("in Cargo.toml, the category {} is not allowed: choose a slug of https://crates.io/category_slugs, or write your own with a-z, 0-9, `:`, `+`, `_` and `-`, at most {MAX_CATEGORY} characters", Excerpt(.category))]
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
    /// Some systems cannot unpack the paths.
    #[error("some systems cannot unpack {}: rename these paths or leave them out with `exclude` in Cargo.toml", enumerated(.0.iter().map(ToString::to_string)))]
    UnportablePaths(Vec<UnportablePath>),
}

fn other_source(allowed: &AllowedRegistries) -> String {
    match allowed.to_string().as_str() {
        "none" => "publish that crate here".to_owned(),
        urls => format!("publish that crate here, or take it from {}", listed(urls.split(','))),
    }
}

fn unknown(dependencies: &[UnknownDependency]) -> String {
    enumerated(dependencies.iter().map(|dependency| match &dependency.spelling {
        Some(spelling) => format!("`{}` (it is called `{spelling}` here)", dependency.name),
        None => format!("`{}`", dependency.name),
    }))
}

impl Policy {
    /// Checks a manifest against the policy.
    ///
    /// # Errors
    ///
    /// [`Refusal::Policy`] with the first broken rule. All missing fields count as one.
    pub fn check(&self, manifest: &Manifest) -> Result<Vec<Advice>, Refusal> {
        let missing = self.required_metadata.missing_in(manifest);
        if !missing.is_empty() {
            return Err(PolicyError::Missing { missing }.into());
        }
        check_texts(manifest)?;
        lengths::check(manifest)?;
        check_urls(manifest)?;
        let mut advice = Vec::new();
        advice.extend(check_licence(manifest)?);
        advice.extend(check_labels(manifest)?);
        manifest.dependencies.iter().try_for_each(|dependency| self.check_dependency(dependency))?;
        Ok(advice)
    }

    /// Applies the policy to dependencies that this registry does not have.
    ///
    /// # Errors
    ///
    /// [`Refusal::Policy`] if dependencies must exist already.
    pub fn check_unknown(&self, dependencies: Vec<UnknownDependency>) -> Result<Option<Advice>, Refusal> {
        if dependencies.is_empty() {
            Ok(None)
        } else if self.require_known_dependencies {
            Err(PolicyError::UnknownDependencies(dependencies).into())
        } else {
            Ok(Some(Advice::UnknownDependencies(dependencies)))
        }
    }

    /// Applies the policy to paths that some file systems cannot store.
    ///
    /// # Errors
    ///
    /// [`Refusal::Policy`] if such paths are refused.
    pub fn check_paths(&self, unportable: &[UnportablePath]) -> Result<Option<Advice>, Refusal> {
        match self.portable_paths {
            _ if unportable.is_empty() => Ok(None),
            PortablePaths::Warn => Ok(Some(Advice::UnportablePaths(unportable.to_vec()))),
            PortablePaths::Refuse => Err(PolicyError::UnportablePaths(unportable.to_vec()).into()),
        }
    }

    fn check_dependency(&self, dependency: &Dependency) -> Result<(), PolicyError> {
        let describe = || format!("{} dependency {}", dependency.kind, Excerpt(dependency.key()));
        if dependency.requirement == VersionReq::STAR && !self.allow_wildcard_dependencies {
            return Err(PolicyError::Wildcard { dependency: describe() });
        }
        match &dependency.registry {
            Some(registry) if !self.allowed_registries.allows(registry) => Err(PolicyError::Registry {
                dependency: describe(),
                registry: registry.clone(),
                allowed: self.allowed_registries.clone(),
            }),
            _ => Ok(()),
        }
    }
}

fn check_texts(manifest: &Manifest) -> Result<(), PolicyError> {
    let one = |field: &'static str, text: &'_ Option<String>| (field, text.iter().any(|text| text.contains('\0')));
    let many = |field: &'static str, texts: &[String]| (field, texts.iter().any(|text| text.contains('\0')));
    let fields = [
        one("description", &manifest.description),
        one("license", &manifest.license),
        one("license-file", &manifest.license_file),
        one("homepage", &manifest.homepage),
        one("documentation", &manifest.documentation),
        one("repository", &manifest.repository),
        one("readme", &manifest.readme),
        one("links", &manifest.links),
        many("authors", &manifest.authors),
        many("keywords", &manifest.keywords),
        many("categories", &manifest.categories),
        // The metadata may omit those of a renamed dependency, so they are not checked yet.
        ("features", manifest.features.values().flatten().any(|value| value.contains('\0'))),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, has_nul)| *has_nul) {
        return Err(PolicyError::NulCharacter { field });
    }
    match manifest.description.as_ref().map(|description| description.chars().count()) {
        Some(length) if length > MAX_DESCRIPTION => Err(PolicyError::DescriptionTooLong { length }),
        _ => Ok(()),
    }
}

fn check_urls(manifest: &Manifest) -> Result<(), PolicyError> {
    let fields = [
        ("homepage", &manifest.homepage),
        ("documentation", &manifest.documentation),
        ("repository", &manifest.repository),
    ];
    let is_web = |text: &str| Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    for (field, url) in fields {
        // cargo sends empty fields too.
        if let Some(url) = url.as_ref().filter(|url| !url.is_empty() && !is_web(url)) {
            return Err(PolicyError::Url { field, url: url.clone() });
        }
    }
    Ok(())
}

fn check_licence(manifest: &Manifest) -> Result<Option<Advice>, PolicyError> {
    let Some(license) = manifest.license.as_ref().filter(|license| !license.trim().is_empty()) else {
        return Ok(None);
    };
    match licence::parse(license) {
        Ok(Spelling::Exact) => Ok(None),
        Ok(Spelling::Other(spdx)) => Ok(Some(Advice::LicenceSpelling { license: license.clone(), spdx })),
        Ok(Spelling::Deprecated) => Ok(Some(Advice::DeprecatedLicence { license: license.clone() })),
        Err(problem) => Err(PolicyError::Licence { license: license.clone(), problem }),
    }
}

fn check_labels(manifest: &Manifest) -> Result<Option<Advice>, PolicyError> {
    check_keywords(&manifest.keywords)?;
    check_categories(&manifest.categories)?;
    let unknown: Vec<_> =
        manifest.categories.iter().filter(|category| !labels::is_known_category(category)).cloned().collect();
    Ok((!unknown.is_empty()).then_some(Advice::UnknownCategories(unknown)))
}

/// Checks keywords.
///
/// # Errors
///
/// [`PolicyError::TooManyLabels`] or [`PolicyError::Keyword`].
pub fn check_keywords(keywords: &[String]) -> Result<(), PolicyError> {
    check_count("keywords", keywords)?;
    match keywords.iter().find(|keyword| !labels::is_keyword(keyword)) {
        Some(keyword) => Err(PolicyError::Keyword { keyword: keyword.clone() }),
        None => Ok(()),
    }
}

/// Checks categories.
///
/// # Errors
///
/// [`PolicyError::TooManyLabels`] or [`PolicyError::Category`].
pub fn check_categories(categories: &[String]) -> Result<(), PolicyError> {
    check_count("categories", categories)?;
    match categories.iter().find(|category| !labels::is_category(category)) {
        Some(category) => Err(PolicyError::Category { category: category.clone() }),
        None => Ok(()),
    }
}

fn check_count(field: &'static str, labels: &[String]) -> Result<(), PolicyError> {
    match labels.len() {
        count if count > MAX_LABELS => Err(PolicyError::TooManyLabels { field, count }),
        _ => Ok(()),
    }
}
