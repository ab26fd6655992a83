//! The part of a version's manifest that the API returns, without the dependencies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::package::policy::labels::{MAX_CATEGORY, MAX_LABELS};
use crate::package::policy::{MAX_DESCRIPTION, MAX_URL};
use crate::package::{Manifest, Targets};

/// The longest keyword or category that is shown, listed and searched, in bytes. An entry of the database's indexes
/// holds 2,712.
pub const MAX_LABEL: usize = MAX_CATEGORY;

/// The column `versions.manifest`. Fields that older rows lack are empty.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the manifest's, under its names")]
pub struct About {
    pub description: Option<String>,
    pub homepage: Option<String>,
    pub documentation: Option<String>,
    pub repository: Option<String>,
    pub license: Option<String>,
    pub license_file: Option<String>,
    pub links: Option<String>,
    pub rust_version: Option<String>,
    pub authors: Option<Vec<String>>,
    pub keywords: Option<Vec<String>>,
    pub categories: Option<Vec<String>>,
    pub features: Option<BTreeMap<String, Vec<String>>>,
    pub edition: Option<String>,
    pub has_lib: Option<bool>,
    pub bin_names: Option<Vec<String>>,
}

impl About {
    /// The fields of a manifest, and what the package builds.
    pub fn of(manifest: &Manifest, targets: &Targets) -> Self {
        Self {
            description: manifest.description.clone(),
            homepage: manifest.homepage.clone(),
            documentation: manifest.documentation.clone(),
            repository: manifest.repository.clone(),
            license: manifest.license.clone(),
            license_file: manifest.license_file.clone(),
            links: manifest.links.clone(),
            rust_version: manifest.rust_version.clone(),
            authors: Some(manifest.authors.clone()),
            keywords: Some(manifest.keywords.clone()),
            categories: Some(manifest.categories.clone()),
            features: Some(manifest.features.clone().into_iter().collect()),
            edition: targets.edition.clone(),
            has_lib: Some(targets.has_lib),
            bin_names: targets.bin_names.clone(),
        }
    }

    /// The value of the column.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Reads the column. A field of a wrong type, which only another program can have written, makes all fields empty.
    pub fn from_json(json: serde_json::Value) -> Self {
        serde_json::from_value(json).unwrap_or_default()
    }

    /// The distinct keywords in lower case: case does not distinguish keywords.
    ///
    /// A publish checks the rules of keywords, but an import, a repair and older programs did not. Keywords that are
    /// too long, and those after the first five, are left out here, so that they cannot cause an error in a crate's
    /// description.
    pub fn keyword_ids(&self) -> Vec<String> {
        distinct(self.keywords.as_deref().unwrap_or_default())
    }

    /// The distinct categories in lower case, with the same limits.
    pub fn category_ids(&self) -> Vec<String> {
        distinct(self.categories.as_deref().unwrap_or_default())
    }

    /// The description for lists, cut to the limit of a publish.
    pub fn short_description(&self) -> Option<String> {
        self.description.as_ref().map(|description| description.chars().take(MAX_DESCRIPTION).collect())
    }
}

/// A URL for lists; None if it is longer than the limit of a publish.
pub fn short_url(url: Option<&String>) -> Option<String> {
    url.filter(|url| url.chars().count() <= MAX_URL).cloned()
}

fn distinct(words: &[String]) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for word in words.iter().map(|word| word.to_lowercase()).filter(|word| word.len() <= MAX_LABEL) {
        if distinct.len() < MAX_LABELS && !distinct.contains(&word) {
            distinct.push(word);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_an_older_row_reads_as_empty_where_it_is_null_or_missing() {
        let about = About::from_json(serde_json::json!({ "description": "x", "keywords": null }));
        assert_eq!(about, About { description: Some("x".to_owned()), ..About::default() });
        assert_eq!(About::from_json(serde_json::json!({ "keywords": 3 })), About::default());
    }

    #[test]
    fn keywords_that_differ_only_in_case_are_the_same() {
        let keywords = Some(["Web", "http", "web"].map(str::to_owned).to_vec());
        assert_eq!(About { keywords, ..About::default() }.keyword_ids(), ["web", "http"]);
    }

    #[test]
    fn values_above_the_limits_of_a_publish_are_not_shown() {
        let long = |length: usize| "x".repeat(length);
        let about = About {
            description: Some("é".repeat(1001)),
            keywords: Some(vec![long(65), "İ".repeat(32), long(64)]),
            categories: Some(["a", "b", "a", "c", "d", "e", "f"].map(str::to_owned).to_vec()),
            ..About::default()
        };
        assert_eq!(about.short_description(), Some("é".repeat(1000)));
        // The second one has 64 bytes, and more in lower case.
        assert_eq!(about.keyword_ids(), [long(64)]);
        assert_eq!(about.category_ids(), ["a", "b", "c", "d", "e"]);
        assert_eq!((short_url(Some(&long(2048))), short_url(Some(&long(2049)))), (Some(long(2048)), None));
    }
}
