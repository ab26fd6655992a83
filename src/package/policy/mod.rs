//! The operator's rules for packages, beyond what cargo needs.
//!
//! The rules apply to the manifest only, since nothing reads the description or licence of the metadata. A publish that is
//! only unwise is accepted with [`Advice`], which cargo prints as warnings; [`MetadataRules`] says which rules of form
//! refuse a publish, and which only cause advice.

pub mod address;
mod advice;
pub mod commit_mismatch;
mod error;
mod form;
pub mod labels;
mod lengths;
pub mod licence;
pub mod manifest_mismatch;
pub mod metadata_rules;
pub mod namesakes;
pub mod registries;
pub mod required;
pub mod warn_or_refuse;

#[cfg(test)]
mod tests;

use semver::VersionReq;

use super::dependency::Dependency;
use super::excerpt::Excerpt;
use super::vcs_info::VcsInfo;
use super::{CrateName, Manifest, Refusal, UnportablePath};
pub use advice::Advice;
pub use error::{MAX_DESCRIPTION, PolicyError, UnknownDependency};
pub use form::{check_categories, check_keywords};
pub use lengths::MAX_URL;
pub use manifest_mismatch::ManifestMismatch;
pub use metadata_rules::MetadataRules;
pub use namesakes::{NameAdvice, Namesake, UpstreamNames};
pub use registries::AllowedRegistries;
pub use required::{Field, RequiredMetadata};
pub use warn_or_refuse::WarnOrRefuse;

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
    /// Whether paths that Windows cannot store are refused. Useful crates contain such files, for example a test called
    /// `aux.rs`.
    pub portable_paths: WarnOrRefuse,
    /// Which rules of form refuse a publish.
    pub metadata_rules: MetadataRules,
    /// Whether metadata that differs from the manifest is refused.
    pub manifest_mismatch: ManifestMismatch,
    /// Whether a package is refused that a trusted publisher did not make from the commit of its ID token.
    pub commit_mismatch: WarnOrRefuse,
    /// What is done about new names that upstreams have as well.
    pub upstream_names: UpstreamNames,
}

impl Policy {
    /// Checks a manifest against the policy.
    ///
    /// # Errors
    ///
    /// [`Refusal::Policy`] with the first broken rule. All missing fields count as one. A broken rule of form that the
    /// setting permits becomes an advice.
    pub fn check(&self, manifest: &Manifest) -> Result<Vec<Advice>, Refusal> {
        let missing = self.required_metadata.missing_in(manifest);
        if !missing.is_empty() {
            return Err(PolicyError::Missing { missing }.into());
        }
        check_nul(manifest)?;
        let (problems, remarks) = form::examine(manifest);
        if let Some(refused) = problems.iter().find(|problem| !self.metadata_rules.permit(problem)) {
            return Err(refused.clone().into());
        }
        let mut advice: Vec<Advice> = problems.into_iter().map(|problem| Advice::Form(Box::new(problem))).collect();
        advice.extend(remarks);
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
            WarnOrRefuse::Warn => Ok(Some(Advice::UnportablePaths(unportable.to_vec()))),
            WarnOrRefuse::Refuse => Err(PolicyError::UnportablePaths(unportable.to_vec()).into()),
        }
    }

    /// Compares the commit that a package names with that of the ID token with which it is published.
    ///
    /// # Errors
    ///
    /// [`Refusal::Policy`] if another commit is refused.
    pub fn check_commit(&self, expected: &str, found: Option<&VcsInfo>) -> Result<Option<Advice>, Refusal> {
        match (commit_mismatch::compare(expected, found), self.commit_mismatch) {
            (None, _) => Ok(None),
            (Some(other), WarnOrRefuse::Warn) => Ok(Some(Advice::OtherCommit(other))),
            (Some(other), WarnOrRefuse::Refuse) => Err(PolicyError::OtherCommit(other).into()),
        }
    }

    /// Applies the policy to the name of a new crate that upstreams have. An admin may publish it.
    ///
    /// # Errors
    ///
    /// [`Refusal::Policy`] if such names are refused.
    pub fn check_namesakes(
        &self,
        name: &CrateName,
        by: Vec<Namesake>,
        is_admin: bool,
    ) -> Result<Option<Advice>, Refusal> {
        match self.upstream_names {
            _ if by.is_empty() => Ok(None),
            UpstreamNames::Off => Ok(None),
            UpstreamNames::Refuse if !is_admin => Err(PolicyError::Namesakes { name: name.clone(), by }.into()),
            UpstreamNames::Warn | UpstreamNames::Refuse => {
                Ok(Some(Advice::Name(NameAdvice::Taken { name: name.clone(), by })))
            }
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

/// The field that contains a NUL.
fn check_nul(manifest: &Manifest) -> Result<(), PolicyError> {
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
    match fields.into_iter().find(|(_, has_nul)| *has_nul) {
        Some((field, _)) => Err(PolicyError::NulCharacter { field }),
        None => Ok(()),
    }
}
