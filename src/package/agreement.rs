//! The metadata against the manifest: the commonest lie a registry is told.
//!
//! The manifest is what cargo builds, the metadata is what an old registry would have put into its index. Where they
//! differ, a crate could hide a dependency from everybody who looks at the index only, so a difference is refused and
//! named. The order of lists doesn't count, nor does a `rust_version` that the metadata leaves out (cargo has sent it
//! since 1.69 only).
//!
//! Two differences are cargo's own and are let pass. Both concern values `dependency/feature`, which change nothing in
//! the index, because that is made from the manifest: cargo takes them out of the manifest where the dependency was a
//! dev-dependency without a version, and for some releases sent them all the same; and releases before
//! rust-lang/cargo#14325 left them out of the metadata where the dependency is renamed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cargo_util_schemas::manifest::RustVersion;

use super::dependency::{Artifact, Dependency, DependencyKind};
use super::excerpt::{Excerpt, listed};
use super::features::Features;
use super::{CrateName, Manifest, Metadata, Refusal, RegistryUrls, Version};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the metadata and Cargo.toml in the package disagree about {field}: the metadata says {sent}, Cargo.toml says {packaged}; publish with `cargo publish`, which takes both from one source"
)]
pub struct Disagreement {
    /// What they disagree about.
    pub field: String,
    /// What the metadata says.
    pub sent: String,
    /// What the manifest says.
    pub packaged: String,
}

/// Holds the metadata against the manifest.
///
/// # Errors
///
/// [`Refusal::Disagreement`] with the first difference, or [`Refusal::Metadata`] for a dependency that can't be
/// understood.
pub fn check(
    name: &CrateName,
    version: &Version,
    metadata: &Metadata,
    manifest: &Manifest,
    urls: &RegistryUrls,
) -> Result<(), Refusal> {
    same("`name`", name, &manifest.name, shown)?;
    same("`version`", version, &manifest.version, shown)?;
    let sent = metadata.deps.iter().map(|dependency| dependency.parse(urls)).collect::<Result<Vec<_>, _>>()?;
    check_dependencies(&sent, &manifest.dependencies)?;
    check_features(&metadata.features, manifest)?;
    same("`links`", &metadata.links, &manifest.links, optional)?;
    check_rust_version(metadata.rust_version.as_ref(), manifest.rust_version.as_ref())?;
    Ok(())
}

/// Compares the values themselves: what is shown of them may be cut short.
fn same<T: PartialEq>(field: &str, sent: &T, packaged: &T, show: fn(&T) -> String) -> Result<(), Box<Disagreement>> {
    if sent == packaged {
        return Ok(());
    }
    Err(Box::new(Disagreement { field: field.to_owned(), sent: show(sent), packaged: show(packaged) }))
}

fn shown(value: &impl fmt::Display) -> String {
    Excerpt(&value.to_string()).to_string()
}

fn optional(value: &Option<String>) -> String {
    value.as_ref().map_or_else(|| "nothing".to_owned(), shown)
}

fn list(values: &BTreeSet<&String>) -> String {
    listed(values.iter().map(|value| value.as_str()))
}

fn check_rust_version(sent: Option<&String>, packaged: Option<&String>) -> Result<(), Box<Disagreement>> {
    let Some(sent) = sent else {
        return Ok(());
    };
    let parse = |text: &String| text.parse::<RustVersion>().ok();
    if parse(sent).is_some() && parse(sent) == packaged.and_then(parse) {
        return Ok(());
    }
    same("`rust-version`", &Some(sent.clone()), &packaged.cloned(), optional)
}

/// What tells the dependencies of one manifest apart; the requirement comes last, for two spellings of one target.
fn identity(dependency: &Dependency) -> (&str, DependencyKind, Option<&str>, String) {
    (dependency.key(), dependency.kind, dependency.target.as_deref(), dependency.requirement.to_string())
}

fn check_dependencies(sent: &[Dependency], packaged: &[Dependency]) -> Result<(), Box<Disagreement>> {
    let group = |dependencies| -> BTreeMap<_, Vec<&Dependency>> {
        let mut groups: BTreeMap<_, Vec<&Dependency>> = BTreeMap::new();
        for dependency in dependencies {
            let (key, kind, target, _) = identity(dependency);
            groups.entry((key, kind, target)).or_default().push(dependency);
        }
        groups.values_mut().for_each(|group| group.sort_by_key(|dependency| identity(dependency)));
        groups
    };
    let (sent, packaged) = (group(sent.iter()), group(packaged.iter()));
    for identity in sent.keys().chain(packaged.keys()) {
        let count = |groups: &BTreeMap<_, Vec<&Dependency>>| groups.get(identity).map_or(0, Vec::len);
        let field = describe(*identity);
        same(&field, &count(&sent), &count(&packaged), occurrences)?;
        let pairs = sent.get(identity).into_iter().flatten().zip(packaged.get(identity).into_iter().flatten());
        for (sent, packaged) in pairs {
            check_dependency(&field, sent, packaged)?;
        }
    }
    Ok(())
}

fn describe((key, kind, target): (&str, DependencyKind, Option<&str>)) -> String {
    let target = target.map_or_else(String::new, |target| format!(" for {}", Excerpt(target)));
    format!("the {kind} dependency {}{target}", Excerpt(key))
}

fn occurrences(count: &usize) -> String {
    match count {
        0 => "there is none".to_owned(),
        1 => "there is one".to_owned(),
        several => format!("there are {several}"),
    }
}

fn check_dependency(whose: &str, sent: &Dependency, packaged: &Dependency) -> Result<(), Box<Disagreement>> {
    let registry = |url: &Option<String>| url.as_ref().map_or_else(|| "this registry".to_owned(), shown);
    let of = |what: &str| format!("{what} of {whose}");
    same(&of("the crate"), &sent.name, &packaged.name, shown)?;
    same(&of("the requirement"), &sent.requirement, &packaged.requirement, shown)?;
    same(&of("the registry"), &sent.registry, &packaged.registry, registry)?;
    same(&of("`optional`"), &sent.optional, &packaged.optional, shown)?;
    same(&of("`default-features`"), &sent.default_features, &packaged.default_features, shown)?;
    same(&of("the features"), &sent.features.iter().collect(), &packaged.features.iter().collect(), list)?;
    same(&of("the artifact"), &sent.artifact, &packaged.artifact, artifact)
}

fn artifact(artifact: &Option<Artifact>) -> String {
    let Some(artifact) = artifact else {
        return "none".to_owned();
    };
    format!("{} for {}, `lib = {}`", list(&artifact.kinds.iter().collect()), optional(&artifact.target), artifact.lib)
}

fn check_features(sent: &Features, manifest: &Manifest) -> Result<(), Box<Disagreement>> {
    same("the names of the features", &sent.keys().collect(), &manifest.features.keys().collect(), list)?;
    let renamed: BTreeMap<&str, bool> =
        manifest.dependencies.iter().map(|dependency| (dependency.key(), dependency.rename.is_some())).collect();
    let rename_of = |value: &str| value.split_once('/').map(|(key, _)| renamed.get(key.trim_end_matches('?')).copied());
    for (feature, packaged) in &manifest.features {
        let Some(sent) = sent.get(feature) else {
            continue;
        };
        // `Some(None)` is a feature of a dependency that the manifest doesn't have.
        let sent: BTreeSet<&String> = sent.iter().filter(|value| rename_of(value) != Some(None)).collect();
        let left_out = |value: &&String| rename_of(value) == Some(Some(true)) && !sent.contains(value);
        let packaged = packaged.iter().filter(|value| !left_out(value)).collect();
        same(&format!("the feature {}", Excerpt(feature)), &sent, &packaged, list)?;
    }
    Ok(())
}
