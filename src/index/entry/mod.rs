//! A line of a crate's index file: what cargo reads about a version before it downloads it (the Cargo book, "Registry
//! index", JSON schema).
//!
//! A line is created when its version is published; later only `yanked` changes. That edit is made in the text and not
//! through an [`Entry`]: a line may have fields that this program does not know, clients have cached its bytes under an
//! ETag, and unyanking must restore the original bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use semver::VersionReq;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

pub mod difference;
pub mod line;
pub mod rebuild;
pub mod registries;
pub mod summary;

use summary::Summary;

use crate::package::characters::is_hidden;
use crate::package::dependency::{Dependency, DependencyKind};
use crate::package::features::{self, Features};
use crate::package::{Checksum, CrateName, Package, Version};

/// A version as the index shows it. The fields are the Cargo book's and are written in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the Cargo book's, under its names")]
pub struct Entry {
    pub name: CrateName,
    pub vers: Version,
    pub deps: Vec<EntryDependency>,
    pub cksum: Checksum,
    #[serde(default)]
    pub features: Features,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features2: Option<Features>,
    #[serde(default)]
    pub yanked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rust_version: Option<String>,
    #[serde(default, with = "pubtime", skip_serializing_if = "Option::is_none")]
    pub pubtime: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v: Option<u32>,
}

/// A dependency as the index shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the Cargo book's, under its names")]
pub struct EntryDependency {
    /// The key in the manifest, which is the crate's name unless [`EntryDependency::package`] is.
    pub name: String,
    pub req: VersionReq,
    #[serde(default)]
    pub features: Vec<String>,
    #[serde(default)]
    pub optional: bool,
    #[serde(default = "yes")]
    pub default_features: bool,
    pub target: Option<String>,
    /// Old lines have none, which means normal.
    pub kind: Option<DependencyKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bindep_target: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lib: bool,
}

fn yes() -> bool {
    true
}

/// An error of editing a line.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The line is not a JSON object.
    #[error("the index line is not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    /// The line contains a line break.
    #[error("the index entry contains a line break; it must be one line")]
    LineBreak,
    /// The line has `yanked` twice.
    #[error("the index line has the field `yanked` {count} times; it must have it at most once")]
    Duplicate {
        /// The number of occurrences.
        count: usize,
    },
    /// `yanked` is neither a boolean nor null.
    #[error("the index line has `yanked: {value}`; it must be true or false")]
    NotBoolean {
        /// The value.
        value: String,
    },
}

impl Entry {
    /// The entry of a new version, not yanked. `pubtime` is written to the second, because cargo rejects entries with a
    /// fraction.
    pub fn new(package: &Package, pubtime: DateTime<Utc>) -> Self {
        Self::of((&package.name, &package.version), package.checksum, Summary::of(&package.manifest), Some(pubtime))
    }

    /// The entry of a version with this summary, not yanked.
    pub fn of(
        (name, version): (&CrateName, &Version),
        checksum: Checksum,
        summary: Summary,
        pubtime: Option<DateTime<Utc>>,
    ) -> Self {
        let mut dependencies: Vec<&Dependency> = summary.dependencies.iter().collect();
        dependencies.sort_by_key(|dependency| (dependency.kind, dependency.key(), dependency.target.as_deref()));
        let (features, features2) = features::split(summary.features);
        let features2 = Some(features2).filter(|features2| !features2.is_empty());
        let v = if dependencies.iter().any(|dependency| dependency.artifact.is_some()) {
            Some(3)
        } else {
            features2.as_ref().map(|_| 2)
        };
        Self {
            name: name.clone(),
            vers: version.clone(),
            deps: dependencies.into_iter().map(EntryDependency::new).collect(),
            cksum: checksum,
            features,
            features2,
            yanked: false,
            links: summary.links,
            rust_version: summary.rust_version,
            pubtime,
            v,
        }
    }

    /// The entry as a line of compact JSON, without the line break.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("an entry is JSON") // reason: every key is a string, and writing to memory cannot fail
    }
}

impl EntryDependency {
    fn new(dependency: &Dependency) -> Self {
        let artifact = dependency.artifact.as_ref();
        Self {
            name: dependency.key().to_owned(),
            req: dependency.requirement.clone(),
            features: dependency.features.clone(),
            optional: dependency.optional,
            default_features: dependency.default_features,
            target: dependency.target.clone(),
            kind: Some(dependency.kind),
            registry: dependency.registry.clone(),
            package: dependency.rename.as_ref().map(|_| dependency.name.to_string()),
            public: dependency.public,
            artifact: artifact.map(|artifact| artifact.kinds.clone()),
            bindep_target: artifact.and_then(|artifact| artifact.target.clone()),
            lib: artifact.is_some_and(|artifact| artifact.lib),
        }
    }
}

/// The line with `yanked` set to this value and every other byte unchanged. A line with that value, or without `yanked`
/// if the value is false, is returned as it is.
///
/// # Errors
///
/// The line is not one JSON object with at most one boolean `yanked`.
pub fn with_yanked(line: &str, yanked: bool) -> Result<String, EntryError> {
    yanked_line(line, yanked).map(Cow::into_owned)
}

/// A crate's whole file from its lines and their values of `yanked`. Every line ends with a line break.
///
/// # Errors
///
/// See [`with_yanked`].
pub fn render<'a>(lines: impl Iterator<Item = (&'a str, bool)>) -> Result<String, EntryError> {
    let mut file = String::new();
    for (line, yanked) in lines {
        file.push_str(&yanked_line(line, yanked)?);
        file.push('\n');
    }
    Ok(file)
}

fn yanked_line(line: &str, yanked: bool) -> Result<Cow<'_, str>, EntryError> {
    if line.contains(['\n', '\r']) {
        return Err(EntryError::LineBreak);
    }
    // The search for the field relies on the line being a JSON object.
    serde_json::from_str::<BTreeMap<Cow<'_, str>, IgnoredAny>>(line)?;
    let found = values_of(line, "yanked");
    let new = if yanked { "true" } else { "false" };
    match found.as_slice() {
        [] if !yanked => Ok(Cow::Borrowed(line)),
        [] => {
            let (fields, _) = line.rsplit_once('}').unwrap_or((line, ""));
            let comma = if fields.trim_end().ends_with('{') { "" } else { "," };
            Ok(Cow::Owned(format!("{fields}{comma}\"yanked\":true}}")))
        }
        [value] => match &line[value.clone()] {
            old if old == new => Ok(Cow::Borrowed(line)),
            "null" if !yanked => Ok(Cow::Borrowed(line)),
            "true" | "false" | "null" => Ok(Cow::Owned(format!("{}{new}{}", &line[..value.start], &line[value.end..]))),
            other => Err(EntryError::NotBoolean { value: plain(other) }),
        },
        several => Err(EntryError::Duplicate { count: several.len() }),
    }
}

/// The beginning of a value for a message, without control characters.
fn plain(value: &str) -> String {
    value.chars().take(80).map(|c| if is_hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The positions of a field's values in the outermost object of a line that is a valid JSON object.
fn values_of(object: &str, field: &str) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    let (mut depth, mut start, mut matches) = (0_usize, 0, false);
    let mut bytes = object.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => {
                while let Some((_, byte)) = bytes.next() {
                    match byte {
                        b'\\' => {
                            bytes.next();
                        }
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        match (depth, byte) {
            (1, b'{') => start = at + 1,
            (1, b':') => {
                // A key may be written with escapes.
                matches = serde_json::from_str::<Cow<'_, str>>(object[start..at].trim()).is_ok_and(|key| key == field);
                start = at + 1;
            }
            (1, b',') | (0, b'}') => {
                if std::mem::take(&mut matches) {
                    let value = &object[start..at];
                    let begin = start + (value.len() - value.trim_start().len());
                    values.push(begin..begin + value.trim().len());
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    values
}

/// The format of `pubtime` that cargo accepts: RFC 3339 in UTC, to the second, with `Z`.
mod pubtime {
    use chrono::{DateTime, NaiveDateTime, Utc};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) const FORMAT: &str = "%Y-%m-%dT%H:%M:%SZ";

    pub fn serialize<S: Serializer>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(&time.format(FORMAT)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let time = NaiveDateTime::parse_from_str(&text, FORMAT).map_err(de::Error::custom)?;
        Ok(Some(time.and_utc()))
    }
}

#[cfg(test)]
mod tests;
