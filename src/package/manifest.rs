//! The manifest inside a `.crate` file, which is authoritative for a version.
//!
//! cargo rewrites a manifest when it packages it: it writes out values inherited from a workspace, removes paths and git
//! sources from dependencies, and replaces the name of a registry by the URL of its index. A manifest without these changes
//! was not packaged by cargo, and cargo could not build it from a registry.
//!
//! The TOML parser limits the nesting (80 levels), and the tarball's reader has limited the size.

use std::collections::BTreeMap;

use cargo_util_schemas::manifest::{
    InheritableDependency, InheritableField, PackageName, StringOrBool, TomlDependency, TomlDetailedDependency,
    TomlManifest, TomlPackage,
};

use super::characters::{HiddenCharacter, check_line, check_lines};
use super::dependency::{Artifact, Dependency, DependencyError, DependencyKind, Unparsed};
use super::excerpt::{Excerpt, Remark};
use super::features::Features;
use super::name::{CrateName, NameError};
use super::registry_urls::{CRATES_IO_INDEX, RegistryUrls};
use super::version::{Version, VersionError};

/// The parts of a manifest that a registry reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// `package.name`
    pub name: CrateName,
    /// `package.version`
    pub version: Version,
    /// All dependencies: normal, build and dev, each in the order of their keys, then those of targets.
    pub dependencies: Vec<Dependency>,
    /// `[features]`, without the implicit ones of optional dependencies.
    pub features: Features,
    /// `package.links`
    pub links: Option<String>,
    /// `package.rust-version`, without an operator.
    pub rust_version: Option<String>,
    /// `package.description`
    pub description: Option<String>,
    /// `package.license`
    pub license: Option<String>,
    /// `package.license-file`
    pub license_file: Option<String>,
    /// `package.homepage`
    pub homepage: Option<String>,
    /// `package.documentation`
    pub documentation: Option<String>,
    /// `package.repository`
    pub repository: Option<String>,
    /// The path of the README in the package.
    pub readme: Option<String>,
    /// `package.authors`
    pub authors: Vec<String>,
    /// `package.keywords`
    pub keywords: Vec<String>,
    /// `package.categories`
    pub categories: Vec<String>,
}

/// Why a manifest is invalid.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not TOML, or a field has the wrong type.
    #[error("Cargo.toml in the package cannot be read: {}", Remark(.0))]
    Syntax(String),
    /// A section or field is missing.
    #[error("Cargo.toml in the package has no `{field}`: add it and package again")]
    Missing {
        /// The section or field.
        field: &'static str,
    },
    /// The name is invalid.
    #[error("in Cargo.toml, {0}")]
    Name(#[from] NameError),
    /// The version is invalid.
    #[error("in Cargo.toml, {0}")]
    Version(#[from] VersionError),
    /// A text contains a hidden character.
    #[error("in Cargo.toml, {field} contains {character}: remove it")]
    Character {
        /// The field.
        field: String,
        /// The character and its position.
        character: HiddenCharacter,
    },
    /// A field is still inherited from a workspace.
    #[error(
        "Cargo.toml in the package still inherits {} from a workspace, which is not part of the package: let `cargo package` or `cargo publish` make the package",
        Excerpt(.field)
    )]
    Inherited {
        /// The field.
        field: String,
    },
    /// A section that has an effect only at the root of a build.
    #[error(
        "Cargo.toml in the package has a `[{section}]` section, which has no effect in a dependency: remove it, as `cargo package` does"
    )]
    Section {
        /// The section.
        section: &'static str,
    },
    /// A dependency is invalid.
    #[error("in Cargo.toml, {0}")]
    Dependency(#[from] DependencyError),
    /// A dependency has no version.
    #[error("in Cargo.toml, the dependency {} has no version: add one, because a registry cannot follow a path or a git URL", Excerpt(.key))]
    NoRequirement {
        /// The key of the dependency.
        key: String,
    },
    /// A dependency still has a source outside registries.
    #[error("in Cargo.toml, the dependency {} still has `{source_key}`: let `cargo package` or `cargo publish` make the package, which leaves only the version", Excerpt(.key))]
    OutsideRegistry {
        /// The key of the dependency.
        key: String,
        /// `path`, `base` or `git`.
        source_key: &'static str,
    },
    /// A dependency names its registry by a name from the publisher's configuration.
    #[error("in Cargo.toml, the dependency {} names the registry {}, which means nothing outside the publisher's configuration: let `cargo package` or `cargo publish` make the package, which writes its URL as `registry-index`", Excerpt(.key), Excerpt(.registry))]
    RegistryByName {
        /// The key of the dependency.
        key: String,
        /// The name of the registry.
        registry: String,
    },
    /// A dependency has an invalid registry URL.
    #[error("in Cargo.toml, the dependency {} has the `registry-index` {}, which is not the URL of an index: {problem}", Excerpt(.key), Excerpt(.registry))]
    RegistryUrl {
        /// The key of the dependency.
        key: String,
        /// The URL.
        registry: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Manifest {
    /// Parses a manifest that cargo has packaged.
    ///
    /// # Errors
    ///
    /// A [`ManifestError`].
    pub fn parse(text: &str, urls: &RegistryUrls) -> Result<Self, ManifestError> {
        Self::from_toml(&read(text)?, urls)
    }

    pub(super) fn from_toml(toml: &TomlManifest, urls: &RegistryUrls) -> Result<Self, ManifestError> {
        if toml.patch.is_some() {
            return Err(ManifestError::Section { section: "patch" });
        }
        if toml.replace.is_some() {
            return Err(ManifestError::Section { section: "replace" });
        }
        if toml.lints.as_ref().is_some_and(|lints| lints.workspace) {
            return Err(ManifestError::Inherited { field: "lints".to_owned() });
        }
        let package = toml.package().ok_or(ManifestError::Missing { field: "[package]" })?;
        refuse_inherited(package)?;
        let name = package.name.as_ref().ok_or(ManifestError::Missing { field: "package.name" })?;
        let version = own(&package.version).ok_or(ManifestError::Missing { field: "package.version" })?;
        Ok(Self {
            name: name.as_ref().parse()?,
            version: version.to_string().parse()?,
            dependencies: dependencies(toml, urls)?,
            features: features(toml),
            links: package.links.clone(),
            rust_version: own(&package.rust_version).map(ToString::to_string),
            description: own(&package.description).cloned(),
            license: own(&package.license).cloned(),
            license_file: own(&package.license_file).cloned(),
            homepage: own(&package.homepage).cloned(),
            documentation: own(&package.documentation).cloned(),
            repository: own(&package.repository).cloned(),
            readme: own(&package.readme).and_then(|readme| match readme {
                StringOrBool::String(path) => Some(path.clone()),
                StringOrBool::Bool(true) => Some("README.md".to_owned()),
                StringOrBool::Bool(false) => None,
            }),
            authors: own(&package.authors).cloned().unwrap_or_default(),
            keywords: own(&package.keywords).cloned().unwrap_or_default(),
            categories: own(&package.categories).cloned().unwrap_or_default(),
        })
    }
}

impl Manifest {
    /// Checks the texts for hidden characters. Only a description may have several lines.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Character`] with the first one.
    pub fn check_texts(&self) -> Result<(), ManifestError> {
        // Exhaustive, so that a new field is checked too. Names, versions and requirements are parsed.
        let Self {
            name: _,
            version: _,
            dependencies,
            features,
            links,
            rust_version,
            description,
            license,
            license_file,
            homepage,
            documentation,
            repository,
            readme,
            authors,
            keywords,
            categories,
        } = self;
        let refused = |field: String, character| ManifestError::Character { field, character };
        check_lines(description.as_deref().unwrap_or_default())
            .map_err(|character| refused("`description`".to_owned(), character))?;
        let texts = [
            ("links", links),
            ("rust-version", rust_version),
            ("license", license),
            ("license-file", license_file),
            ("homepage", homepage),
            ("documentation", documentation),
            ("repository", repository),
            ("readme", readme),
        ];
        let lists = [("authors", authors), ("keywords", keywords), ("categories", categories)];
        let texts = texts.into_iter().flat_map(|(field, text)| text.iter().map(move |text| (field, text)));
        let lists = lists.into_iter().flat_map(|(field, list)| list.iter().map(move |text| (field, text)));
        for (field, text) in texts.chain(lists) {
            check_line(text).map_err(|character| refused(format!("`{field}`"), character))?;
        }
        for (feature, values) in features {
            for text in std::iter::once(feature).chain(values) {
                let of = || format!("the feature {}", Excerpt(feature));
                check_line(text).map_err(|character| refused(of(), character))?;
            }
        }
        for dependency in dependencies {
            for text in dependency.texts() {
                let of = || format!("the dependency {}", Excerpt(dependency.key()));
                check_line(text).map_err(|character| refused(of(), character))?;
            }
        }
        Ok(())
    }
}

pub(super) fn read(text: &str) -> Result<TomlManifest, ManifestError> {
    toml::from_str(text).map_err(|error| syntax_error(text, &error))
}

/// The parser's error with the line number instead of the quoted line, which may be as long as the manifest.
fn syntax_error(text: &str, error: &toml::de::Error) -> ManifestError {
    let line = error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    let place = line.map_or_else(String::new, |line| format!("line {line}: "));
    ManifestError::Syntax(format!("{place}{}", error.message().trim_end().replace('\n', "; ")))
}

/// The value of a field after [`refuse_inherited`].
fn own<T>(field: &Option<InheritableField<T>>) -> Option<&T> {
    field.as_ref().and_then(InheritableField::as_value)
}

fn refuse_inherited(package: &TomlPackage) -> Result<(), ManifestError> {
    fn inherited<T>(field: &Option<InheritableField<T>>) -> bool {
        field.as_ref().is_some_and(InheritableField::is_inherited)
    }
    let fields = [
        ("authors", inherited(&package.authors)),
        ("categories", inherited(&package.categories)),
        ("description", inherited(&package.description)),
        ("documentation", inherited(&package.documentation)),
        ("edition", inherited(&package.edition)),
        ("exclude", inherited(&package.exclude)),
        ("homepage", inherited(&package.homepage)),
        ("include", inherited(&package.include)),
        ("keywords", inherited(&package.keywords)),
        ("license", inherited(&package.license)),
        ("license-file", inherited(&package.license_file)),
        ("publish", inherited(&package.publish)),
        ("readme", inherited(&package.readme)),
        ("repository", inherited(&package.repository)),
        ("rust-version", inherited(&package.rust_version)),
        ("version", inherited(&package.version)),
    ];
    match fields.into_iter().find(|(_, inherited)| *inherited) {
        Some((field, _)) => Err(ManifestError::Inherited { field: format!("package.{field}") }),
        None => Ok(()),
    }
}

fn features(toml: &TomlManifest) -> Features {
    let features = toml.features.iter().flatten();
    features.map(|(name, values)| (name.as_ref().to_owned(), values.clone())).collect()
}

pub(super) type Table = BTreeMap<PackageName, InheritableDependency>;

fn dependencies(toml: &TomlManifest, urls: &RegistryUrls) -> Result<Vec<Dependency>, ManifestError> {
    let mut tables: Vec<(DependencyKind, Option<&str>, Option<&Table>)> = vec![
        (DependencyKind::Normal, None, toml.dependencies.as_ref()),
        (DependencyKind::Build, None, toml.build_dependencies()),
        (DependencyKind::Dev, None, toml.dev_dependencies()),
    ];
    for (target, platform) in toml.target.iter().flatten() {
        tables.extend([
            (DependencyKind::Normal, Some(target.as_str()), platform.dependencies.as_ref()),
            (DependencyKind::Build, Some(target.as_str()), platform.build_dependencies()),
            (DependencyKind::Dev, Some(target.as_str()), platform.dev_dependencies()),
        ]);
    }
    let mut dependencies = Vec::new();
    for (kind, target, table) in tables {
        for (key, dependency) in table.into_iter().flatten() {
            dependencies.push(dependency_of(key.as_ref(), dependency, kind, target, urls)?);
        }
    }
    Ok(dependencies)
}

fn dependency_of(
    key: &str,
    dependency: &InheritableDependency,
    kind: DependencyKind,
    target: Option<&str>,
    urls: &RegistryUrls,
) -> Result<Dependency, ManifestError> {
    let InheritableDependency::Value(dependency) = dependency else {
        return Err(ManifestError::Inherited { field: format!("dependencies.{key}") });
    };
    let simple;
    let detailed = match dependency {
        TomlDependency::Detailed(detailed) => detailed,
        TomlDependency::Simple(requirement) => {
            simple = TomlDetailedDependency { version: Some(requirement.clone()), ..TomlDetailedDependency::default() };
            &simple
        }
    };
    let Some(requirement) = detailed.version.as_deref() else {
        return Err(ManifestError::NoRequirement { key: key.to_owned() });
    };
    let outside =
        [("path", detailed.path.is_some()), ("base", detailed.base.is_some()), ("git", detailed.git.is_some())];
    if let Some((source_key, _)) = outside.into_iter().find(|(_, present)| *present) {
        return Err(ManifestError::OutsideRegistry { key: key.to_owned(), source_key });
    }
    Ok(Dependency::new(Unparsed {
        key,
        package: detailed.package.as_ref().map(AsRef::as_ref),
        requirement,
        features: detailed.features.as_deref().unwrap_or_default(),
        optional: detailed.optional.unwrap_or(false),
        default_features: detailed.default_features().unwrap_or(true),
        target,
        kind,
        registry: registry(key, detailed, urls)?,
        public: detailed.public,
        artifact: detailed.artifact.as_ref().map(|kinds| Artifact {
            kinds: kinds.0.clone(),
            target: detailed.target.clone(),
            lib: detailed.lib.unwrap_or(false),
        }),
    })?)
}

/// The registry of a dependency. A missing registry means crates.io in a manifest, unlike in the metadata and the index.
fn registry(
    key: &str,
    dependency: &TomlDetailedDependency,
    urls: &RegistryUrls,
) -> Result<Option<String>, ManifestError> {
    if let Some(index) = &dependency.registry_index {
        return urls.resolve(index).map_err(|problem| ManifestError::RegistryUrl {
            key: key.to_owned(),
            registry: index.clone(),
            problem,
        });
    }
    match &dependency.registry {
        Some(name) => Err(ManifestError::RegistryByName { key: key.to_owned(), registry: name.as_ref().to_owned() }),
        None => Ok(Some(CRATES_IO_INDEX.to_owned())),
    }
}
