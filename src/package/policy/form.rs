//! The rules of form: lengths, URLs, the licence, keywords and categories.

use super::super::Manifest;
use super::address::Address;
use super::advice::Advice;
use super::error::{MAX_DESCRIPTION, PolicyError};
use super::labels::{self, MAX_LABELS};
use super::lengths;
use super::licence::{self, Spelling};

/// All problems of form of a manifest, in the order in which they are checked, and advice about what is sound. The number of
/// either is bounded, whatever the manifest has.
pub(super) fn examine(manifest: &Manifest) -> (Vec<PolicyError>, Vec<Advice>) {
    let (mut problems, mut advice) = (Vec::new(), Vec::new());
    problems.extend(description(manifest));
    problems.extend(lengths::problems(manifest));
    problems.extend(urls(manifest));
    match licence(manifest) {
        Ok(remark) => advice.extend(remark),
        Err(problem) => problems.push(problem),
    }
    problems.extend(keywords(&manifest.keywords));
    problems.extend(categories(&manifest.categories));
    let unknown =
        |category: &&String| labels::is_category(category.as_str()) && !labels::is_known_category(category.as_str());
    let unknown: Vec<_> = manifest.categories.iter().filter(unknown).cloned().collect();
    advice.extend((!unknown.is_empty()).then_some(Advice::UnknownCategories(unknown)));
    (problems, advice)
}

fn description(manifest: &Manifest) -> Option<PolicyError> {
    let length = manifest.description.as_ref()?.chars().count();
    (length > MAX_DESCRIPTION).then_some(PolicyError::DescriptionTooLong { length })
}

fn urls(manifest: &Manifest) -> impl Iterator<Item = PolicyError> {
    let fields = [
        ("homepage", &manifest.homepage),
        ("documentation", &manifest.documentation),
        ("repository", &manifest.repository),
    ];
    fields.into_iter().filter_map(|(field, url)| {
        // cargo sends empty fields too.
        let url = url.as_ref().filter(|url| !url.is_empty())?;
        let kind = Address::of(url);
        (kind != Address::Web).then(|| PolicyError::Url { field, url: url.clone(), kind })
    })
}

fn licence(manifest: &Manifest) -> Result<Option<Advice>, PolicyError> {
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

/// Checks keywords.
///
/// # Errors
///
/// [`PolicyError::TooManyLabels`] or [`PolicyError::Keyword`].
pub fn check_keywords(words: &[String]) -> Result<(), PolicyError> {
    keywords(words).next().map_or(Ok(()), Err)
}

/// Checks categories.
///
/// # Errors
///
/// [`PolicyError::TooManyLabels`] or [`PolicyError::Category`].
pub fn check_categories(slugs: &[String]) -> Result<(), PolicyError> {
    categories(slugs).next().map_or(Ok(()), Err)
}

fn keywords(words: &[String]) -> impl Iterator<Item = PolicyError> {
    let wrong = words.iter().filter(|keyword| !labels::is_keyword(keyword)).take(MAX_LABELS);
    number("keywords", words).into_iter().chain(wrong.map(|keyword| PolicyError::Keyword { keyword: keyword.clone() }))
}

fn categories(slugs: &[String]) -> impl Iterator<Item = PolicyError> {
    let wrong = slugs.iter().filter(|category| !labels::is_category(category)).take(MAX_LABELS);
    let wrong = wrong.map(|category| PolicyError::Category { category: category.clone() });
    number("categories", slugs).into_iter().chain(wrong)
}

fn number(field: &'static str, labels: &[String]) -> Option<PolicyError> {
    (labels.len() > MAX_LABELS).then_some(PolicyError::TooManyLabels { field, count: labels.len() })
}
