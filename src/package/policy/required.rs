//! Which fields of `[package]` a registry asks for.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::super::Manifest;
use super::super::excerpt::Excerpt;

/// A field of `[package]` that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are cargo's, under its names")]
pub enum Field {
    Description,
    /// Met by `license-file` as well.
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
    /// cargo's name of it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// A value of spaces says nothing, and counts as none.
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

/// As it is shown to the publisher.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::License => f.write_str("`license` (or `license-file`)"),
            other => write!(f, "`{}`", other.as_str()),
        }
    }
}

/// A set of fields; `description` and `license` unless it is said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredMetadata(BTreeSet<Field>);

impl RequiredMetadata {
    /// Nothing is asked for.
    pub fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// What of it a manifest lacks.
    pub fn missing_in(&self, manifest: &Manifest) -> Vec<Field> {
        self.0.iter().copied().filter(|field| !field.is_in(manifest)).collect()
    }
}

impl Default for RequiredMetadata {
    fn default() -> Self {
        Self(BTreeSet::from([Field::Description, Field::License]))
    }
}

/// Names of fields with commas between them, or `none`.
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
                    "{} can't be asked for; write `none`, or some of {known} with commas between them",
                    Excerpt(name)
                )
            })
        };
        text.split(',').map(|name| field(name.trim())).collect::<Result<_, _>>().map(Self)
    }
}

/// As it is written in the configuration.
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
    fn what_is_asked_for_is_written_as_cargo_names_it() {
        let all = Field::VARIANTS.join(",");
        for text in ["none", "description,license", "rust-version", &all] {
            assert_eq!(text.parse::<RequiredMetadata>().unwrap().to_string(), text);
        }
        assert_eq!("license, description".parse(), Ok(RequiredMetadata::default()));
        insta::assert_snapshot!("licence".parse::<RequiredMetadata>().unwrap_err(), @"`licence` can't be asked for; write `none`, or some of description, license, repository, homepage, documentation, readme, keywords, categories, authors, rust-version with commas between them");
        for wrong in ["", "description,", "none,license", "Description"] {
            assert!(wrong.parse::<RequiredMetadata>().is_err(), "{wrong:?}");
        }
    }
}
