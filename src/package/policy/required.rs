//! The required fields of `[package]`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::super::Manifest;
use super::super::excerpt::Excerpt;

/// A field of `[package]` that can be required.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are cargo's, under its names")]
pub enum Field {
    Description,
    /// `license-file` is accepted instead.
    License,
    Repository,
    Homepage,
    Documentation,
    Readme,
    Keywords,
    Categories,
    Authors,
    RustVersion,
}

impl Field {
    /// The name of the field in Cargo.toml.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether a manifest has the field. A value of only spaces counts as missing.
    fn is_in(self, manifest: &Manifest) -> bool {
        let text = |value: &Option<String>| value.as_ref().is_some_and(|text| !text.trim().is_empty());
        let list = |values: &[String]| values.iter().any(|text| !text.trim().is_empty());
        match self {
            Self::Description => text(&manifest.description),
            Self::License => text(&manifest.license) || text(&manifest.license_file),
            Self::Repository => text(&manifest.repository),
            Self::Homepage => text(&manifest.homepage),
            Self::Documentation => text(&manifest.documentation),
            Self::Readme => text(&manifest.readme),
            Self::Keywords => list(&manifest.keywords),
            Self::Categories => list(&manifest.categories),
            Self::Authors => list(&manifest.authors),
            Self::RustVersion => text(&manifest.rust_version),
        }
    }
}

/// The form in messages to publishers.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::License => f.write_str("`license` (or `license-file`)"),
            other => write!(f, "`{}`", other.as_str()),
        }
    }
}

/// A set of required fields, by default `description` and `license`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredMetadata(BTreeSet<Field>);

impl RequiredMetadata {
    /// No required fields.
    pub fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// The required fields that a manifest lacks.
    pub fn missing_in(&self, manifest: &Manifest) -> Vec<Field> {
        self.0.iter().copied().filter(|field| !field.is_in(manifest)).collect()
    }
}

impl Default for RequiredMetadata {
    fn default() -> Self {
        Self(BTreeSet::from([Field::Description, Field::License]))
    }
}

/// Names of fields separated by commas, or `none`.
impl FromStr for RequiredMetadata {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "none" {
            return Ok(Self::none());
        }
        let field = |name: &str| {
            name.parse().map_err(|_| {
                let known = Field::VARIANTS.join(", ");
                format!(
                    "{} cannot be required: write `none`, or some of {known} with commas between them",
                    Excerpt(name)
                )
            })
        };
        text.split(',').map(|name| field(name.trim())).collect::<Result<_, _>>().map(Self)
    }
}

/// The form in the configuration.
impl fmt::Display for RequiredMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let names: Vec<_> = self.0.iter().map(|field| field.as_str()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_fields_are_written_with_their_names_in_the_manifest() {
        let all = Field::VARIANTS.join(",");
        for text in ["none", "description,license", "rust-version", &all] {
            assert_eq!(text.parse::<RequiredMetadata>().unwrap().to_string(), text);
        }
        assert_eq!("license, description".parse(), Ok(RequiredMetadata::default()));
        insta::assert_snapshot!("licence".parse::<RequiredMetadata>().unwrap_err(), @"`licence` cannot be required: write `none`, or some of description, license, repository, homepage, documentation, readme, keywords, categories, authors, rust-version with commas between them");
        for wrong in ["", "description,", "none,license", "Description"] {
            assert!(wrong.parse::<RequiredMetadata>().is_err(), "{wrong:?}");
        }
    }
}
