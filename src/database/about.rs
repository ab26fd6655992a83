//! What the manifest says of a version beside its dependencies, as the API tells it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::package::Manifest;

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
    pub fn keyword_ids(&self) -> Vec<String> {
        distinct(self.keywords.as_deref().unwrap_or_default())
    }

    /// The categories, likewise.
    pub fn category_ids(&self) -> Vec<String> {
        distinct(self.categories.as_deref().unwrap_or_default())
    }
}

fn distinct(words: &[String]) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for word in words.iter().map(|word| word.to_lowercase()) {
        if !distinct.contains(&word) {
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
}
