//! What changed in the manifest, as cargo reads it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::package::features::Features;
use crate::package::{Dependency, DependencyKind, Manifest, RegistryUrls};

/// What changed in the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestChanges {
    pub added: Vec<Stated>,
    pub removed: Vec<Stated>,
    pub changed: Vec<ChangedDependency>,
    pub features: Vec<ChangedFeature>,
    /// Fields of `[package]` that a reviewer looks at: `links`, `rust-version`, `license`, `repository`.
    pub fields: Vec<FieldChange>,
}

/// A dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    pub kind: DependencyKind,
    /// The target that it is limited to.
    pub target: Option<String>,
    /// Its key in the manifest.
    pub key: String,
    /// The crate, if it has another name than the key.
    pub package: Option<String>,
    pub requirement: String,
    /// The index of its registry; None for this one.
    pub registry: Option<String>,
    pub optional: bool,
}

/// A dependency that is in both manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedDependency {
    pub dependency: Stated,
    pub changes: Vec<FieldChange>,
}

/// A value that changed. None: there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// A feature that was added, removed or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFeature {
    pub name: String,
    /// What it enabled; None if it was added.
    pub before: Option<Vec<String>>,
    /// What it enables; None if it was removed.
    pub after: Option<Vec<String>>,
}

impl ManifestChanges {
    /// Compares two manifests, or one with none. An error says which one cannot be read, and why.
    pub(super) fn new(before: Option<&str>, after: &str, urls: &RegistryUrls) -> Result<Self, String> {
        let parsed = |text: &str, which: &str| {
            Manifest::parse(text, urls).map_err(|error| format!("of the {which} version, {error}"))
        };
        let before = before.map(|text| parsed(text, "earlier")).transpose()?;
        let (old, after) = (before.as_ref(), parsed(after, "later")?);
        let (no_features, no_dependencies) = (Features::new(), Vec::new());
        let old_features = old.map_or(&no_features, |manifest| &manifest.features);
        let old_dependencies = old.map_or(&no_dependencies, |manifest| &manifest.dependencies);
        let mut changes = Self { features: features(old_features, &after.features), ..Self::default() };
        dependencies(old_dependencies, &after.dependencies, &mut changes);
        let field = |of: fn(&Manifest) -> &Option<String>| (old.and_then(|old| of(old).clone()), of(&after).clone());
        changes.fields = [
            ("links", field(|manifest| &manifest.links)),
            ("rust-version", field(|manifest| &manifest.rust_version)),
            ("license", field(|manifest| &manifest.license)),
            ("license-file", field(|manifest| &manifest.license_file)),
            ("repository", field(|manifest| &manifest.repository)),
        ]
        .into_iter()
        .filter_map(|(field, (before, after))| FieldChange::new(field, before, after))
        .collect();
        Ok(changes)
    }
}

impl FieldChange {
    /// None if the value did not change.
    pub(super) fn new(field: &str, before: Option<String>, after: Option<String>) -> Option<Self> {
        (before != after).then(|| Self { field: field.to_owned(), before, after })
    }
}

type Key<'a> = (DependencyKind, Option<&'a str>, &'a str);

fn dependencies(before: &[Dependency], after: &[Dependency], changes: &mut ManifestChanges) {
    fn by_key(list: &[Dependency]) -> BTreeMap<Key<'_>, &Dependency> {
        list.iter().map(|one| ((one.kind, one.target.as_deref(), one.key()), one)).collect()
    }
    let (old, new) = (by_key(before), by_key(after));
    changes.added = new.iter().filter(|(key, _)| !old.contains_key(*key)).map(|(_, one)| Stated::of(one)).collect();
    changes.removed = old.iter().filter(|(key, _)| !new.contains_key(*key)).map(|(_, one)| Stated::of(one)).collect();
    let both = new.iter().filter_map(|(key, new)| Some((*old.get(key)?, *new)));
    changes.changed = both
        .map(|(old, new)| ChangedDependency { dependency: Stated::of(new), changes: changed_fields(old, new) })
        .filter(|one| !one.changes.is_empty())
        .collect();
}

impl Stated {
    fn of(dependency: &Dependency) -> Self {
        Self {
            kind: dependency.kind,
            target: dependency.target.clone(),
            key: dependency.key().to_owned(),
            package: dependency.rename.as_ref().map(|_| dependency.name.to_string()),
            requirement: dependency.requirement.to_string(),
            registry: dependency.registry.clone(),
            optional: dependency.optional,
        }
    }
}

fn changed_fields(old: &Dependency, new: &Dependency) -> Vec<FieldChange> {
    let registry = |one: &Dependency| one.registry.clone().unwrap_or_else(|| "this registry".to_owned());
    let features = |one: &Dependency| {
        let mut features = one.features.clone();
        features.sort_unstable();
        (!features.is_empty()).then(|| features.join(", "))
    };
    let fields: [(&str, Option<String>, Option<String>); 6] = [
        ("requirement", Some(old.requirement.to_string()), Some(new.requirement.to_string())),
        ("package", Some(old.name.to_string()), Some(new.name.to_string())),
        ("registry", Some(registry(old)), Some(registry(new))),
        ("features", features(old), features(new)),
        ("default-features", Some(old.default_features.to_string()), Some(new.default_features.to_string())),
        ("optional", Some(old.optional.to_string()), Some(new.optional.to_string())),
    ];
    fields.into_iter().filter_map(|(field, before, after)| FieldChange::new(field, before, after)).collect()
}

fn features(before: &Features, after: &Features) -> Vec<ChangedFeature> {
    let sorted = |values: &Vec<String>| {
        let mut values = values.clone();
        values.sort_unstable();
        values
    };
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let mut changed: Vec<ChangedFeature> = names
        .map(|name| ChangedFeature {
            name: name.clone(),
            before: before.get(name).map(sorted),
            after: after.get(name).map(sorted),
        })
        .filter(|feature| feature.before != feature.after)
        .collect();
    changed.sort_by(|one, other| one.name.cmp(&other.name));
    changed
}
