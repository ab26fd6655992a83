//! A dependency in normal form.
//!
//! The dependencies of the metadata and of the manifest are converted to this form before they are compared or written: the
//! requirement and the target are parsed (so `1.0` equals `^1.0`, and spaces in a `cfg` do not count), and the registry is
//! resolved (this registry is `None`, under any of its URLs). [`Dependency::new`] succeeds only if cargo can read the
//! dependency back from the index.

use std::fmt;

use cargo_platform::Platform;
use semver::VersionReq;
use serde::{Deserialize, Serialize};

use super::excerpt::{Excerpt, Remark};
use super::name::{CrateName, NameError};

/// The deepest nesting of parentheses in a target: the parser of `cfg` expressions recurses, in cargo as well as here.
const MAX_TARGET_DEPTH: usize = 64;

/// When a dependency is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DependencyKind {
    /// `[dependencies]`
    #[default]
    Normal,
    /// `[build-dependencies]`
    Build,
    /// `[dev-dependencies]`
    Dev,
}

/// The binaries of an artifact dependency (unstable in cargo, `-Zbindeps`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The artifacts: `bin`, `cdylib`, `staticlib`, `bin:<name>`.
    pub kinds: Vec<String>,
    /// The target to build for, if it differs from the dependent's.
    pub target: Option<String>,
    /// Whether it is a library dependency as well.
    pub lib: bool,
}

/// One dependency of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The crate that is depended on.
    pub name: CrateName,
    /// The key in the manifest where it differs from the name.
    pub rename: Option<String>,
    /// The versions that satisfy it.
    pub requirement: VersionReq,
    /// The enabled features.
    pub features: Vec<String>,
    /// Whether only a feature enables it.
    pub optional: bool,
    /// Whether its default features are enabled.
    pub default_features: bool,
    /// The target triple or `cfg` expression it is limited to, in cargo's normal form.
    pub target: Option<String>,
    /// When it is built.
    pub kind: DependencyKind,
    /// The index URL of its registry; `None` is this registry.
    pub registry: Option<String>,
    /// Whether it is part of the public interface (unstable in cargo).
    pub public: Option<bool>,
    /// The artifacts of an artifact dependency (unstable in cargo).
    pub artifact: Option<Artifact>,
}

/// A dependency as written, before parsing.
#[derive(Clone, Debug, Default)]
pub struct Unparsed<'a> {
    /// The key in the manifest.
    pub key: &'a str,
    /// The crate's name where it differs from the key.
    pub package: Option<&'a str>,
    /// The requirement.
    pub requirement: &'a str,
    /// The enabled features.
    pub features: &'a [String],
    /// Whether only a feature enables it.
    pub optional: bool,
    /// Whether its default features are enabled.
    pub default_features: bool,
    /// The target triple or `cfg` expression.
    pub target: Option<&'a str>,
    /// When it is built.
    pub kind: DependencyKind,
    /// The resolved registry.
    pub registry: Option<String>,
    /// Whether it is part of the public interface.
    pub public: Option<bool>,
    /// The artifacts of an artifact dependency.
    pub artifact: Option<Artifact>,
}

/// Why a dependency is invalid.
#[derive(Debug, thiserror::Error)]
pub enum DependencyError {
    /// The crate's name is not a name.
    #[error("the dependency {} cannot be used: {source}", Excerpt(.key))]
    Name {
        /// The key in the manifest.
        key: String,
        /// What is wrong with the name.
        source: NameError,
    },
    /// The key is not an identifier.
    #[error("the dependency key {} is not allowed: start it with an ASCII letter or `_` and continue with letters, digits, `-` and `_`, at most 64 characters", Excerpt(.key))]
    Key {
        /// The key in the manifest.
        key: String,
    },
    /// The requirement does not parse.
    #[error("the dependency {} requires {}, which is not a version requirement ({source}): write it as in `1.2` or `>=1.2, <1.5`", Excerpt(.key), Excerpt(.requirement))]
    Requirement {
        /// The key in the manifest.
        key: String,
        /// The requirement.
        requirement: String,
        /// The parser's error.
        source: semver::Error,
    },
    /// The target does not parse.
    #[error("the dependency {} is limited to the target {}, which is neither a target triple nor a cfg expression: {}", Excerpt(.key), Excerpt(.target), Remark(.problem))]
    Target {
        /// The key in the manifest.
        key: String,
        /// The target.
        target: String,
        /// The parser's error.
        problem: String,
    },
    /// A development dependency is optional.
    #[error("the dev-dependency {} is optional, which cargo does not allow: remove `optional` or move it to `[dependencies]`", Excerpt(.key))]
    OptionalDev {
        /// The key in the manifest.
        key: String,
    },
    /// An enabled feature is not a feature name.
    #[error("the dependency {} enables the feature {}, which must not be empty or contain `/` or `dep:`: name a feature of that crate", Excerpt(.key), Excerpt(.feature))]
    Feature {
        /// The key in the manifest.
        key: String,
        /// The feature.
        feature: String,
    },
}

impl Dependency {
    /// Parses a dependency.
    ///
    /// # Errors
    ///
    /// A [`DependencyError`] if cargo could not read the dependency back from an index entry.
    pub fn new(unparsed: Unparsed<'_>) -> Result<Self, DependencyError> {
        let key = unparsed.key;
        let name = unparsed
            .package
            .unwrap_or(key)
            .parse()
            .map_err(|source| DependencyError::Name { key: key.to_owned(), source })?;
        if !is_key(key) {
            return Err(DependencyError::Key { key: key.to_owned() });
        }
        if unparsed.optional && unparsed.kind == DependencyKind::Dev {
            return Err(DependencyError::OptionalDev { key: key.to_owned() });
        }
        let wrong = |feature: &&String| feature.is_empty() || feature.contains('/') || feature.starts_with("dep:");
        if let Some(feature) = unparsed.features.iter().find(wrong) {
            return Err(DependencyError::Feature { key: key.to_owned(), feature: feature.clone() });
        }
        let requirement = VersionReq::parse(unparsed.requirement).map_err(|source| DependencyError::Requirement {
            key: key.to_owned(),
            requirement: unparsed.requirement.to_owned(),
            source,
        })?;
        let target = unparsed.target.map(|target| normal_target(key, target)).transpose()?;
        Ok(Self {
            rename: (unparsed.package.is_some_and(|package| package != key)).then(|| key.to_owned()),
            name,
            requirement,
            features: unparsed.features.to_vec(),
            optional: unparsed.optional,
            default_features: unparsed.default_features,
            target,
            kind: unparsed.kind,
            registry: unparsed.registry,
            public: unparsed.public,
            artifact: unparsed.artifact,
        })
    }

    /// Its texts that are not parsed.
    pub fn texts(&self) -> impl Iterator<Item = &String> {
        let Self {
            name: _,
            rename: _,
            requirement: _,
            features,
            optional: _,
            default_features: _,
            target,
            kind: _,
            registry,
            public: _,
            artifact,
        } = self;
        let artifact = artifact.iter().flat_map(|artifact| artifact.kinds.iter().chain(&artifact.target));
        features.iter().chain(target).chain(registry).chain(artifact)
    }

    /// The key in the manifest, by which features refer to the dependency.
    pub fn key(&self) -> &str {
        self.rename.as_deref().unwrap_or(self.name.as_str())
    }
}

impl fmt::Display for DependencyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Build => "build",
            Self::Dev => "dev",
        })
    }
}

fn is_key(key: &str) -> bool {
    key.len() <= super::name::MAX_LENGTH
        && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn normal_target(key: &str, target: &str) -> Result<String, DependencyError> {
    let refuse = |problem: String| DependencyError::Target { key: key.to_owned(), target: target.to_owned(), problem };
    if target.is_empty() {
        return Err(refuse("it is empty".to_owned()));
    }
    let mut depth = 0_usize;
    for character in target.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_TARGET_DEPTH {
            return Err(refuse(format!("it is nested more than {MAX_TARGET_DEPTH} levels deep")));
        }
    }
    match target.parse::<Platform>() {
        Ok(platform) => Ok(platform.to_string()),
        Err(error) => {
            // The parser's message repeats the whole target before the problem.
            let message = error.to_string();
            let problem = message.rsplit_once("cfg expression: ").map_or(message.as_str(), |(_, problem)| problem);
            Err(refuse(problem.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dependency, DependencyError, DependencyKind, Unparsed};

    fn parse(unparsed: Unparsed<'_>) -> Result<Dependency, DependencyError> {
        Dependency::new(unparsed)
    }

    fn target(target: &str) -> Result<Option<String>, String> {
        parse(Unparsed { key: "a", requirement: "1", target: Some(target), ..Unparsed::default() })
            .map(|dependency| dependency.target)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_requirement_and_a_target_are_brought_to_their_normal_form() {
        let dependency = parse(Unparsed {
            key: "a",
            requirement: "1.0",
            target: Some("cfg( all(unix,not(target_os=\"linux\")) )"),
            ..Unparsed::default()
        })
        .unwrap();
        assert_eq!(dependency.requirement.to_string(), "^1.0");
        assert_eq!(dependency.target.unwrap(), "cfg(all(unix, not(target_os = \"linux\")))");
        assert_eq!(target("x86_64-pc-windows-gnu").unwrap().unwrap(), "x86_64-pc-windows-gnu");
    }

    #[test]
    fn a_target_cargo_cannot_parse_is_refused_at_any_depth() {
        insta::assert_snapshot!(target("cfg(unix").unwrap_err(), @"the dependency `a` is limited to the target `cfg(unix`, which is neither a target triple nor a cfg expression: invalid target specifier: unexpected `(` character, cfg expressions must start with `cfg(`");
        assert!(target("").is_err());
        assert!(target("cfg()").is_err());
        assert!(target("two words").is_err());
        let deep = format!("cfg({}unix{})", "not(".repeat(200_000), ")".repeat(200_000));
        assert!(target(&deep).unwrap_err().contains("more than 64 levels deep"));
    }

    #[test]
    fn a_rename_is_kept_only_where_it_differs() {
        let named = |key, package| parse(Unparsed { key, package, requirement: "1", ..Unparsed::default() }).unwrap();
        assert_eq!(named("_short", Some("long-name")).rename.as_deref(), Some("_short"));
        assert_eq!(named("_short", Some("long-name")).name.as_str(), "long-name");
        assert_eq!(named("same", Some("same")).rename, None);
    }

    // rule: 16
    // protocol: 43
    #[test]
    fn what_cargo_could_not_read_back_is_refused_naming_the_dependency() {
        let error = |unparsed| parse(unparsed).unwrap_err().to_string();
        let features = ["a/b".to_owned()];
        let sound = Unparsed { key: "a", requirement: "1", ..Unparsed::default() };
        insta::assert_snapshot!(error(Unparsed { requirement: "one", ..sound.clone() }), @"the dependency `a` requires `one`, which is not a version requirement (unexpected character 'o' while parsing major version number): write it as in `1.2` or `>=1.2, <1.5`");
        insta::assert_snapshot!(error(Unparsed { key: "a::b", package: Some("c"), ..sound.clone() }), @"the dependency key `a::b` is not allowed: start it with an ASCII letter or `_` and continue with letters, digits, `-` and `_`, at most 64 characters");
        insta::assert_snapshot!(error(Unparsed { package: Some("1c"), ..sound.clone() }), @"the dependency `a` cannot be used: the crate name `1c` does not start with a letter: choose one that starts with a letter from a to z");
        insta::assert_snapshot!(error(Unparsed { optional: true, kind: DependencyKind::Dev, ..sound.clone() }), @"the dev-dependency `a` is optional, which cargo does not allow: remove `optional` or move it to `[dependencies]`");
        insta::assert_snapshot!(error(Unparsed { features: &features, ..sound }), @"the dependency `a` enables the feature `a/b`, which must not be empty or contain `/` or `dep:`: name a feature of that crate");
    }
}
