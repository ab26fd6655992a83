//! A line that another program wrote. It is read field by field, because one that cargo cannot read may still identify its
//! version, and the manifest has the rest.

use chrono::{DateTime, SubsecRound, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::EntryDependency;
use super::difference::Part;
use super::registries::Registries;
use super::summary::{Summary, check_rust_version};
use crate::package::dependency::{Artifact, Dependency, DependencyError, Unparsed};
use crate::package::excerpt::Excerpt;
use crate::package::features::Features;
use crate::package::{Checksum, CrateName, Version};

/// A line of an index.
#[derive(Clone, Debug)]
pub struct IndexLine {
    pub name: CrateName,
    pub version: Version,
    pub checksum: Checksum,
    pub yanked: bool,
    /// To the second. None if the line has none, or none that can be read.
    pub pubtime: Option<DateTime<Utc>>,
    fields: Value,
}

/// Why a line does not identify a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("it is not a JSON object")]
    NotAnObject,
    #[error("`{field}` is missing")]
    Missing { field: &'static str },
    #[error("{problem}")]
    Field { problem: String },
    #[error("`yanked` is {}; it must be true or false", Excerpt(.value))]
    Yanked { value: String },
}

/// The summary in a line, and the parts of it that cargo could not read.
#[derive(Clone, Debug, Default)]
pub struct ReadSummary {
    pub summary: Summary,
    /// The number of dependencies, including those that cannot be read.
    pub dependencies: usize,
    /// Dependencies whose target cannot be read, without it.
    pub unreadable: Vec<Dependency>,
    pub problems: Vec<(Part, String)>,
}

impl IndexLine {
    /// Reads what identifies the version.
    ///
    /// # Errors
    ///
    /// A [`LineError`].
    pub fn parse(line: &str) -> Result<Self, LineError> {
        let fields: Value = serde_json::from_str(line).map_err(|_| LineError::NotAnObject)?;
        if !fields.is_object() {
            return Err(LineError::NotAnObject);
        }
        Ok(Self {
            name: identity(&fields, "name")?,
            version: identity(&fields, "vers")?,
            checksum: identity(&fields, "cksum")?,
            yanked: match &fields["yanked"] {
                Value::Null => false,
                Value::Bool(yanked) => *yanked,
                other => return Err(LineError::Yanked { value: other.to_string() }),
            },
            pubtime: pubtime(&fields["pubtime"]),
            fields,
        })
    }

    /// The parts that say the right thing in a form that cargo does not read.
    pub fn misspelt(&self) -> Vec<Part> {
        let text = |field: &str| self.fields[field].as_str();
        let mut misspelt = Vec::new();
        if text("cksum") != Some(&self.checksum.to_string()) {
            misspelt.push(Part::Checksum);
        }
        let written = self.pubtime.map(|time| time.format(super::pubtime::FORMAT).to_string());
        if !self.fields["pubtime"].is_null() && text("pubtime") != written.as_deref() {
            misspelt.push(Part::Pubtime);
        }
        misspelt
    }

    /// The summary in the line, with registries as `registries` writes them.
    pub fn summary(&self, registries: &Registries) -> ReadSummary {
        let mut read = ReadSummary::default();
        match self.fields["deps"].as_array() {
            Some(dependencies) => {
                read.dependencies = dependencies.len();
                for one in dependencies {
                    match dependency(one, registries) {
                        Ok(dependency) => read.summary.dependencies.push(dependency),
                        Err(problem) => {
                            let mut without_target = one.clone();
                            without_target.as_object_mut().map(|fields| fields.shift_remove("target"));
                            read.unreadable.extend(dependency(&without_target, registries));
                            read.problems.push(problem);
                        }
                    }
                }
            }
            None => read.problems.push((Part::Dependencies, "`deps` is not a list".to_owned())),
        }
        let features = self.fields.get("features").map_or(Ok(Features::new()), |value| parsed(value, "features"));
        let features2 = self.optional::<Features>("features2").map(Option::unwrap_or_default);
        for features in [features, features2] {
            match features {
                Ok(features) => {
                    for (name, values) in features {
                        read.summary.features.entry(name).or_default().extend(values);
                    }
                }
                Err(problem) => read.problems.push((Part::Features, problem)),
            }
        }
        match self.optional("links") {
            Ok(links) => read.summary.links = links,
            Err(problem) => read.problems.push((Part::Links, problem)),
        }
        let rust_version = self.optional::<String>("rust_version").and_then(|text| {
            text.as_deref().map_or(Ok(()), check_rust_version)?;
            Ok(text)
        });
        match rust_version {
            Ok(rust_version) => read.summary.rust_version = rust_version,
            Err(problem) => read.problems.push((Part::RustVersion, problem)),
        }
        read
    }

    fn optional<T: DeserializeOwned>(&self, field: &str) -> Result<Option<T>, String> {
        self.fields.get(field).map_or(Ok(None), |value| parsed(value, field))
    }
}

/// The name and version that a line has, valid or not; None if it is not a line of an index.
pub fn named(line: &str) -> Option<(String, String)> {
    let line = Some(line.trim()).filter(|line| line.starts_with('{'))?;
    let fields: Value = serde_json::from_str(line).ok()?;
    Some((fields["name"].as_str()?.to_owned(), fields["vers"].as_str()?.to_owned()))
}

fn identity<T: std::str::FromStr<Err: std::fmt::Display>>(fields: &Value, field: &'static str) -> Result<T, LineError> {
    let text = fields[field].as_str().ok_or(LineError::Missing { field })?;
    text.parse().map_err(|error: T::Err| LineError::Field { problem: error.to_string() })
}

fn parsed<T: DeserializeOwned>(value: &Value, field: &str) -> Result<T, String> {
    T::deserialize(value).map_err(|error| format!("`{field}` cannot be read: {error}"))
}

/// Cargo reads one format of a time. Others are common, and mean the same.
fn pubtime(value: &Value) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(time.to_utc().trunc_subsecs(0))
}

fn dependency(fields: &Value, registries: &Registries) -> Result<Dependency, (Part, String)> {
    let one: EntryDependency = parsed(fields, "deps").map_err(|problem| (Part::Dependencies, problem))?;
    let registry = registries.of_line(one.registry.as_deref()).map_err(|problem| {
        let registry = one.registry.as_deref().unwrap_or_default();
        let text = format!("the dependency {} has the registry {}: {problem}", Excerpt(&one.name), Excerpt(registry));
        (Part::Registry, text)
    })?;
    let requirement = one.req.to_string();
    let parsed = Dependency::new(Unparsed {
        key: &one.name,
        package: one.package.as_deref(),
        requirement: &requirement,
        features: &one.features,
        optional: one.optional,
        default_features: one.default_features,
        target: one.target.as_deref(),
        kind: one.kind.unwrap_or_default(),
        registry,
        public: one.public,
        artifact: one.artifact.map(|kinds| Artifact { kinds, target: one.bindep_target, lib: one.lib }),
    });
    parsed.map_err(|error| {
        let part = match &error {
            DependencyError::Target { .. } => Part::Target,
            DependencyError::Requirement { .. } => Part::Requirement,
            _ => Part::Dependencies,
        };
        (part, error.to_string())
    })
}
