//! The comparison of the metadata with the manifest.
//!
//! cargo builds from the manifest; other registries make their index from the metadata. If they differ, a crate could hide a
//! dependency from everyone who reads only the index, so the first difference is refused and named, unless the operator
//! permits differences ([`ManifestMismatch`]); this registry makes its index from the manifest in either case. The order of
//! lists is ignored, and so is a `rust_version` missing from the metadata (cargo sends it since 1.69).
//!
//! Two differences are caused by cargo and accepted. Both concern values `dependency/feature`, which change nothing in the
//! index, since that is made from the manifest: cargo removes them from the manifest if the dependency was a
//! dev-dependency without a version, and some releases sent them nevertheless; releases before rust-lang/cargo#14325 left
//! them out of the metadata if the dependency is renamed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cargo_util_schemas::manifest::RustVersion;

use super::dependency::{Artifact, Dependency, DependencyKind};
use super::disagreement::{Differences, Disagreement};
use super::excerpt::{Excerpt, listed};
use super::features::Features;
use super::policy::ManifestMismatch;
use super::{CrateName, Manifest, Metadata, Refusal, RegistryUrls, Version};

/// Compares the metadata with the manifest, and gives the differences that are permitted.
///
/// # Errors
///
/// [`Refusal::Disagreement`] with the first difference that is not permitted, or [`Refusal::Metadata`] for an invalid
/// dependency. A different name or version is never permitted.
pub fn check(
    name: &CrateName,
    version: &Version,
    metadata: &Metadata,
    manifest: &Manifest,
    (urls, mismatch): (&RegistryUrls, ManifestMismatch),
) -> Result<Differences, Refusal> {
    let mut identity = Comparison::new(ManifestMismatch::Refuse);
    identity.same("`name`", name, &manifest.name, shown)?;
    identity.same("`version`", version, &manifest.version, shown)?;
    let mut comparison = Comparison::new(mismatch);
    let mut sent = Vec::with_capacity(metadata.deps.len());
    for dependency in &metadata.deps {
        match dependency.parse(urls) {
            Ok(dependency) => sent.push(dependency),
            Err(error) if mismatch == ManifestMismatch::Warn => comparison.permitted.add(|| error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    check_dependencies(&mut comparison, &sent, &manifest.dependencies)?;
    check_features(&mut comparison, &metadata.features, manifest)?;
    let links = manifest.links.clone().filter(|links| !links.is_empty());
    comparison.same("`links`", &metadata.links, &links, optional)?;
    check_rust_version(&mut comparison, metadata.rust_version.as_ref(), manifest.rust_version.as_ref())?;
    Ok(comparison.permitted)
}

/// The state of a comparison.
struct Comparison {
    mismatch: ManifestMismatch,
    permitted: Differences,
}

impl Comparison {
    fn new(mismatch: ManifestMismatch) -> Self {
        Self { mismatch, permitted: Differences::default() }
    }

    /// Compares the values themselves, since the message may show only a part of them.
    fn same<T: PartialEq>(
        &mut self,
        field: &str,
        sent: &T,
        packaged: &T,
        show: fn(&T) -> String,
    ) -> Result<(), Box<Disagreement>> {
        if sent == packaged {
            return Ok(());
        }
        let (sent, packaged) = (|| show(sent), || show(packaged));
        match self.mismatch {
            ManifestMismatch::Warn => {
                self.permitted.add(|| format!("{field} ({} in the metadata, {} in Cargo.toml)", sent(), packaged()));
                Ok(())
            }
            ManifestMismatch::Refuse => {
                Err(Box::new(Disagreement { field: field.to_owned(), sent: sent(), packaged: packaged() }))
            }
        }
    }
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

fn check_rust_version(
    comparison: &mut Comparison,
    sent: Option<&String>,
    packaged: Option<&String>,
) -> Result<(), Box<Disagreement>> {
    let Some(sent) = sent else {
        return Ok(());
    };
    let parse = |text: &String| text.parse::<RustVersion>().ok();
    if parse(sent).is_some() && parse(sent) == packaged.and_then(parse) {
        return Ok(());
    }
    comparison.same("`rust-version`", &Some(sent.clone()), &packaged.cloned(), optional)
}

/// The identity of a dependency within a manifest. The requirement comes last, for two spellings of one target.
fn identity(dependency: &Dependency) -> (&str, DependencyKind, Option<&str>, String) {
    (dependency.key(), dependency.kind, dependency.target.as_deref(), dependency.requirement.to_string())
}

fn check_dependencies(
    comparison: &mut Comparison,
    sent: &[Dependency],
    packaged: &[Dependency],
) -> Result<(), Box<Disagreement>> {
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
    let only_packaged = packaged.keys().filter(|identity| !sent.contains_key(*identity));
    for identity in sent.keys().chain(only_packaged) {
        let count = |groups: &BTreeMap<_, Vec<&Dependency>>| groups.get(identity).map_or(0, Vec::len);
        let field = describe(*identity);
        comparison.same(&field, &count(&sent), &count(&packaged), occurrences)?;
        if count(&sent) != count(&packaged) {
            continue;
        }
        let pairs = sent.get(identity).into_iter().flatten().zip(packaged.get(identity).into_iter().flatten());
        for (sent, packaged) in pairs {
            check_dependency(comparison, &field, sent, packaged)?;
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

fn check_dependency(
    comparison: &mut Comparison,
    whose: &str,
    sent: &Dependency,
    packaged: &Dependency,
) -> Result<(), Box<Disagreement>> {
    let registry = |url: &Option<String>| url.as_ref().map_or_else(|| "this registry".to_owned(), shown);
    let of = |what: &str| format!("{what} of {whose}");
    comparison.same(&of("the crate"), &sent.name, &packaged.name, shown)?;
    comparison.same(&of("the requirement"), &sent.requirement, &packaged.requirement, shown)?;
    comparison.same(&of("the registry"), &sent.registry, &packaged.registry, registry)?;
    comparison.same(&of("`optional`"), &sent.optional, &packaged.optional, shown)?;
    comparison.same(&of("`default-features`"), &sent.default_features, &packaged.default_features, shown)?;
    comparison.same(&of("the features"), &sent.features.iter().collect(), &packaged.features.iter().collect(), list)?;
    comparison.same(&of("the artifact"), &sent.artifact, &packaged.artifact, artifact)
}

fn artifact(artifact: &Option<Artifact>) -> String {
    let Some(artifact) = artifact else {
        return "none".to_owned();
    };
    format!("{} for {}, `lib = {}`", list(&artifact.kinds.iter().collect()), optional(&artifact.target), artifact.lib)
}

fn check_features(comparison: &mut Comparison, sent: &Features, manifest: &Manifest) -> Result<(), Box<Disagreement>> {
    comparison.same("the names of the features", &sent.keys().collect(), &manifest.features.keys().collect(), list)?;
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
        comparison.same(&format!("the feature {}", Excerpt(feature)), &sent, &packaged, list)?;
    }
    Ok(())
}
