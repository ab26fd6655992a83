//! The operator's rules for packages, beyond what cargo needs.
//!
//! The rules apply to the manifest only, since nothing reads the description or licence of the metadata. A publish that is
//! only unwise is accepted with [`Advice`], which cargo prints as warnings.

mod advice;
mod error;
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
use super::excerpt::Excerpt;
use super::{Manifest, Refusal, UnportablePath};
pub use advice::Advice;
pub use error::{MAX_DESCRIPTION, PolicyError, UnknownDependency};
use labels::MAX_LABELS;
pub use lengths::MAX_URL;
use licence::Spelling;
pub use portable_paths::PortablePaths;
pub use registries::AllowedRegistries;
pub use required::{Field, RequiredMetadata};

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
