//! What the manifest says of a version beside its dependencies, as the API tells it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::package::Manifest;
use crate::package::policy::labels::{MAX_CATEGORY, MAX_LABELS};
use crate::package::policy::{MAX_DESCRIPTION, MAX_URL};

/// Bytes of the longest keyword or category that is shown, listed and searched. An entry of the database's indexes of them
/// holds 2,712.
pub const MAX_LABEL: usize = MAX_CATEGORY;

/// The column `versions.manifest`. What older rows lack is empty.
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
}

impl About {
    /// What a manifest says.
    pub fn of(manifest: &Manifest) -> Self {
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
        }
    }

    /// As a column holds it.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// As a column held it. A field that can't be read, which only another program can have written, empties the whole.
    pub fn from_json(json: serde_json::Value) -> Self {
        serde_json::from_value(json).unwrap_or_default()
    }

    /// The keywords in lower case, each once: they are one word whatever their case.
    ///
    /// A publish has passed the rules for keywords. What an import, a repair or an older program accepted may have not:
    /// those that are too long, and those beyond the first five, are left out here, so that no crate can fail to be
    /// described.
    pub fn keyword_ids(&self) -> Vec<String> {
        distinct(self.keywords.as_deref().unwrap_or_default())
    }

    /// The categories, likewise.
    pub fn category_ids(&self) -> Vec<String> {
        distinct(self.categories.as_deref().unwrap_or_default())
    }

    /// The description as lists show it: as much of it as a publish may have.
    pub fn short_description(&self) -> Option<String> {
        self.description.as_ref().map(|description| description.chars().take(MAX_DESCRIPTION).collect())
    }
}

/// A URL as lists show it: none if it is longer than a publish may have it.
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
    fn a_keyword_is_one_word_whatever_its_case() {
        let keywords = Some(["Web", "http", "web"].map(str::to_owned).to_vec());
        assert_eq!(About { keywords, ..About::default() }.keyword_ids(), ["web", "http"]);
    }

    #[test]
    fn what_no_publish_may_have_is_left_out_of_what_is_shown() {
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
