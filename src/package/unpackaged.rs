//! Manifests that today's cargo has not packaged: those of old releases, and those of other programs.
//!
//! They are read as cargo reads the manifest of a dependency. Sections that only the root of a build has are ignored, a
//! version counts and the path or git URL beside it does not, and a dev-dependency without a version is left out, as are
//! the values of features that refer to it. A registry that is given by its name stays open, because the name has a meaning
//! only in the publisher's configuration: see [`registry_name`].

use std::collections::BTreeSet;

use cargo_util_schemas::manifest::{
    InheritableDependency, InheritableField, TomlDependency, TomlDetailedDependency, TomlManifest, TomlPackage,
};

use super::manifest::{self, Manifest, ManifestError, Table};
use super::registry_urls::RegistryUrls;

/// The beginning of the URL that stands for a registry given by its name. No registry can have it.
const BY_NAME: &str = "https://registry-by-name.invalid/";

/// Parses a manifest that may not have been packaged by today's cargo.
///
/// # Errors
///
/// A [`ManifestError`] if cargo could not read it as the manifest of a dependency either.
pub fn parse(text: &str, urls: &RegistryUrls) -> Result<Manifest, ManifestError> {
    let mut toml = manifest::read(text)?;
    normalise(&mut toml);
    Manifest::from_toml(&toml, urls)
}

/// The name in the URL of a dependency's registry, if the manifest gives only a name.
pub fn registry_name(url: &str) -> Option<&str> {
    url.strip_prefix(BY_NAME)
}

fn normalise(toml: &mut TomlManifest) {
    toml.patch = None;
    toml.replace = None;
    toml.lints = None;
    if let Some(package) = toml.package.as_mut().or(toml.project.as_mut()) {
        leave_out_inherited(package);
    }
    let mut left_out = BTreeSet::new();
    let mut tables = vec![(&mut toml.dependencies, false), (&mut toml.build_dependencies, false)];
    tables.extend([(&mut toml.build_dependencies2, false), (&mut toml.dev_dependencies, true)]);
    tables.push((&mut toml.dev_dependencies2, true));
    for platform in toml.target.iter_mut().flat_map(|targets| targets.values_mut()) {
        tables.extend([(&mut platform.dependencies, false), (&mut platform.build_dependencies, false)]);
        tables.extend([(&mut platform.build_dependencies2, false), (&mut platform.dev_dependencies, true)]);
        tables.push((&mut platform.dev_dependencies2, true));
    }
    let mut kept = BTreeSet::new();
    for (table, is_dev) in tables {
        if let Some(table) = table {
            normalise_table(table, is_dev, &mut left_out);
            kept.extend(table.keys().map(ToString::to_string));
        }
    }
    let is_left_out = |value: &String| {
        let key = value.split_once('/').map(|(key, _)| key.trim_end_matches('?'));
        key.is_some_and(|key| left_out.contains(key) && !kept.contains(key))
    };
    for values in toml.features.iter_mut().flat_map(|features| features.values_mut()) {
        values.retain(|value| !is_left_out(value));
    }
}

/// Leaves out inherited fields that decide nothing about the index.
fn leave_out_inherited(package: &mut TomlPackage) {
    fn clear<T>(field: &mut Option<InheritableField<T>>) {
        if field.as_ref().is_some_and(InheritableField::is_inherited) {
            *field = None;
        }
    }
    clear(&mut package.authors);
    clear(&mut package.categories);
    clear(&mut package.description);
    clear(&mut package.documentation);
    clear(&mut package.edition);
    clear(&mut package.exclude);
    clear(&mut package.homepage);
    clear(&mut package.include);
    clear(&mut package.keywords);
    clear(&mut package.license);
    clear(&mut package.license_file);
    clear(&mut package.publish);
    clear(&mut package.readme);
    clear(&mut package.repository);
}

fn normalise_table(table: &mut Table, is_dev: bool, left_out: &mut BTreeSet<String>) {
    table.retain(|key, dependency| {
        let InheritableDependency::Value(TomlDependency::Detailed(detailed)) = dependency else { return true };
        if detailed.version.is_none() {
            if is_dev {
                left_out.insert(key.to_string());
            }
            return !is_dev;
        }
        normalise_dependency(detailed);
        true
    });
}

fn normalise_dependency(detailed: &mut TomlDetailedDependency) {
    (detailed.path, detailed.base, detailed.git) = (None, None, None);
    if let Some(name) = detailed.registry.take()
        && detailed.registry_index.is_none()
    {
        detailed.registry_index = Some(format!("{BY_NAME}{}", name.as_ref()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::DependencyKind;
    use crate::package::sample::{Sample, urls};

    fn keys(manifest: &Manifest) -> Vec<(&str, DependencyKind)> {
        manifest.dependencies.iter().map(|one| (one.key(), one.kind)).collect()
    }

    #[test]
    fn a_packaged_manifest_is_read_as_a_publish_reads_it() {
        let text = Sample::new(
            "rust-version = \"1.60\"\n[dependencies]\na = \"1\"\n[dependencies.b]\nversion = \"2\"\noptional = true\n\
             package = \"c\"\nregistry-index = \"sparse+https://crates.example.com/index/\"\n[features]\nx = [\"dep:b\"]\n",
        )
        .manifest;
        assert_eq!(parse(&text, &urls()).unwrap(), Manifest::parse(&text, &urls()).unwrap());
    }

    #[test]
    fn an_old_manifest_is_read_as_cargo_reads_that_of_a_dependency() {
        let text = "[project]\nname = \"foo\"\nversion = \"1.2.3\"\nauthors = [\"a\"]\n\
             [dependencies]\nboth = { version = \"1\", path = \"../both\" }\ngit = { version = \"2\", git = \"https://x/y\" }\n\
             named = { version = \"3\", registry = \"ours\" }\n\
             [dev_dependencies]\nlocal = { path = \"../local\" }\nkept = { path = \"../kept\", version = \"4\" }\n\
             [features]\nx = [\"local/y\", \"both/z\", \"local?/z\"]\n\
             [patch.crates-io]\nboth = { path = \"../both\" }\n[replace]\n\"both:1.0.0\" = { path = \"../both\" }\n";
        assert!(Manifest::parse(text, &urls()).is_err());
        let manifest = parse(text, &urls()).unwrap();
        let (normal, dev) = (DependencyKind::Normal, DependencyKind::Dev);
        assert_eq!(keys(&manifest), [("both", normal), ("git", normal), ("named", normal), ("kept", dev)]);
        let registry = |place: usize| manifest.dependencies[place].registry.as_deref().unwrap();
        assert_eq!(registry_name(registry(2)), Some("ours"));
        assert_eq!(registry_name(registry(0)), None);
        assert_eq!(manifest.features["x"], ["both/z"]);
    }

    #[test]
    fn what_decides_about_the_index_may_not_be_inherited_or_missing() {
        for rest in [
            "rust-version.workspace = true\n",
            "[dependencies]\na.workspace = true\n",
            "[dependencies]\na = { path = \"../a\" }\n",
            "[dependencies]\na = { version = \"1\", target = 3 }\n",
        ] {
            assert!(parse(&Sample::new(rest).manifest, &urls()).is_err(), "{rest}");
        }
        assert!(parse(&Sample::new("authors.workspace = true\nlints.workspace = true\n").manifest, &urls()).is_ok());
    }
}
