//! The comparison of the metadata with the manifest.
//!
//! cargo builds from the manifest; other registries make their index from the metadata. If they differ, a crate could hide a
//! dependency from everyone who reads only the index, so the first difference is refused and named. The order of lists is
//! ignored, and so is a `rust_version` missing from the metadata (cargo sends it since 1.69).
//!
//! Two differences are caused by cargo and accepted. Both concern values `dependency/feature`, which change nothing in the
//! index, since that is made from the manifest: cargo removes them from the manifest if the dependency was a
//! dev-dependency without a version, and some releases sent them nevertheless; releases before rust-lang/cargo#14325 left
//! them out of the metadata if the dependency is renamed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cargo_util_schemas::manifest::RustVersion;

use super::dependency::{Artifact, Dependency, DependencyKind};
use super::disagreement::Disagreement;
use super::excerpt::{Excerpt, listed};
use super::features::Features;
use super::{CrateName, Manifest, Metadata, Refusal, RegistryUrls, Version};

/// Compares the metadata with the manifest.
///
/// # Errors
///
/// [`Refusal::Disagreement`] with the first difference, or [`Refusal::Metadata`] for an invalid dependency.
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

/// Compares the values themselves, since the message may show only a part of them.
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

/// The identity of a dependency within a manifest. The requirement comes last, for two spellings of one target.
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
        // `Some(None)` is a feature of a dependency that the manifest does not have.
        let sent: BTreeSet<&String> = sent.iter().filter(|value| rename_of(value) != Some(None)).collect();
        let left_out = |value: &&String| rename_of(value) == Some(Some(true)) && !sent.contains(value);
        let packaged = packaged.iter().filter(|value| !left_out(value)).collect();
        same(&format!("the feature {}", Excerpt(feature)), &sent, &packaged, list)?;
    }
    Ok(())
}
