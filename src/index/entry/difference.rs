//! The parts in which two summaries of a version differ.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use strum::{Display, IntoStaticStr};

use super::summary::Summary;
use crate::package::dependency::Dependency;
use crate::package::features::Features;

/// A part of an entry. Its name in reports is the variant's name, with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Display, IntoStaticStr, Serialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Part {
    /// Which dependencies there are, and their kinds.
    Dependencies,
    /// The key of a dependency in the manifest.
    Rename,
    Requirement,
    Target,
    Registry,
    /// Whether a dependency is optional.
    Optional,
    DefaultFeatures,
    /// The features that a dependency enables.
    EnabledFeatures,
    /// Whether a dependency is public (unstable in cargo).
    Public,
    /// The artifacts of a dependency (unstable in cargo).
    Artifact,
    Features,
    Links,
    RustVersion,
    Pubtime,
    Checksum,
}

/// The parts in which summaries differ, and for each the first value that differs in both.
pub fn compare(found: &Summary, expected: &Summary) -> BTreeMap<Part, (String, String)> {
    let mut differing = BTreeMap::new();
    compare_dependencies(&found.dependencies, &expected.dependencies, &mut differing);
    if sets(&found.features) != sets(&expected.features) {
        let only = |these: &Features, others: &Features| {
            let others = sets(others);
            let only = sets(these).into_iter().filter(|(name, values)| others.get(name) != Some(values));
            listed(only.map(|(name, values)| format!("{name} = [{}]", Vec::from_iter(values).join(", "))))
        };
        let values = (only(&found.features, &expected.features), only(&expected.features, &found.features));
        differing.insert(Part::Features, values);
    }
    let texts = [
        (Part::Links, &found.links, &expected.links),
        (Part::RustVersion, &found.rust_version, &expected.rust_version),
    ];
    for (part, found, expected) in texts {
        if found != expected {
            let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
            differing.insert(part, (shown(found), shown(expected)));
        }
    }
    differing
}

/// The order of features and of their values means nothing.
fn sets(features: &Features) -> BTreeMap<&str, BTreeSet<&str>> {
    features.iter().map(|(name, values)| (name.as_str(), values.iter().map(String::as_str).collect())).collect()
}

fn listed(values: impl Iterator<Item = String>) -> String {
    let values: Vec<String> = values.collect();
    if values.is_empty() { "none".to_owned() } else { values.join(", ") }
}

fn compare_dependencies(
    found: &[Dependency],
    expected: &[Dependency],
    differing: &mut BTreeMap<Part, (String, String)>,
) {
    let mut found: Vec<&Dependency> = found.iter().collect();
    let mut expected: Vec<&Dependency> = expected.iter().collect();
    // The closest pairs first, so that a dependency that is there for several targets is not compared crosswise.
    let pairings: [fn(&Dependency, &Dependency) -> bool; 4] = [
        |one, other| parts(one, other).is_empty() && one.kind == other.kind,
        |one, other| (one.key(), one.kind, &one.target) == (other.key(), other.kind, &other.target),
        |one, other| (&one.name, one.kind) == (&other.name, other.kind),
        |one, other| (one.key(), one.kind) == (other.key(), other.kind),
    ];
    for is_pair in pairings {
        found.retain(|one| {
            let Some(place) = expected.iter().position(|other| is_pair(one, other)) else { return true };
            for (part, found, expected) in parts(one, expected.remove(place)) {
                let whose = one.key();
                differing.entry(part).or_insert((format!("{whose}: {found}"), format!("{whose}: {expected}")));
            }
            false
        });
    }
    if !found.is_empty() || !expected.is_empty() {
        let named = |some: &[&Dependency]| listed(some.iter().map(|one| format!("{} ({})", one.key(), one.kind)));
        differing.insert(Part::Dependencies, (named(&found), named(&expected)));
    }
}

/// The parts in which two dependencies differ, and the values.
fn parts(found: &Dependency, expected: &Dependency) -> Vec<(Part, String, String)> {
    fn text(value: Option<&String>, none: &str) -> String {
        value.cloned().unwrap_or_else(|| none.to_owned())
    }
    let all = |one: &Dependency| {
        let enabled: BTreeSet<&str> = one.features.iter().map(String::as_str).collect();
        [
            (Part::Rename, format!("{} is {}", one.key(), one.name)),
            (Part::Requirement, one.requirement.to_string()),
            (Part::Target, text(one.target.as_ref(), "any target")),
            (Part::Registry, text(one.registry.as_ref(), "this registry")),
            (Part::Optional, if one.optional { "optional" } else { "not optional" }.to_owned()),
            (Part::DefaultFeatures, format!("default features {}", one.default_features)),
            (Part::EnabledFeatures, format!("features [{}]", Vec::from_iter(enabled).join(", "))),
            (Part::Public, format!("public {}", one.public.unwrap_or(false))),
            (
                Part::Artifact,
                one.artifact.as_ref().map_or("no artifact".to_owned(), |artifact| format!("{artifact:?}")),
            ),
        ]
    };
    let pairs = all(found).into_iter().zip(all(expected));
    pairs.filter(|(one, other)| one != other).map(|((part, one), (_, other))| (part, one, other)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::DependencyKind;
    use crate::package::dependency::Unparsed;

    fn dependency(key: &str, package: Option<&str>, target: Option<&str>) -> Dependency {
        let unparsed =
            Unparsed { key, package, target, requirement: "1", default_features: true, ..Unparsed::default() };
        Dependency::new(unparsed).unwrap()
    }

    fn of(dependencies: Vec<Dependency>) -> Summary {
        Summary { dependencies, ..Summary::default() }
    }

    fn parts_of(found: &Summary, expected: &Summary) -> Vec<Part> {
        compare(found, expected).into_keys().collect()
    }

    #[test]
    fn the_order_of_dependencies_features_and_values_means_nothing() {
        let features = |values: &[&str]| {
            Features::from([("x".to_owned(), values.iter().map(|value| (*value).to_owned()).collect())])
        };
        let (a, b) = (dependency("a", None, None), dependency("a", None, Some("cfg(unix)")));
        let one = Summary { features: features(&["b", "a"]), ..of(vec![a.clone(), b.clone()]) };
        let other = Summary { features: features(&["a", "b"]), ..of(vec![b, a]) };
        assert_eq!(compare(&one, &other), BTreeMap::new());
    }

    #[test]
    fn a_dependency_that_lost_something_is_reported_by_what_it_lost() {
        let whole = of(vec![dependency("short", Some("long"), None), dependency("b", None, Some("cfg(unix)"))]);
        let lost_rename = of(vec![dependency("long", None, None), dependency("b", None, Some("cfg(unix)"))]);
        assert_eq!(parts_of(&lost_rename, &whole), [Part::Rename]);
        let lost_target = of(vec![dependency("short", Some("long"), None), dependency("b", None, None)]);
        assert_eq!(parts_of(&lost_target, &whole), [Part::Target]);
        assert_eq!(parts_of(&of(vec![whole.dependencies[0].clone()]), &whole), [Part::Dependencies]);
        assert_eq!(parts_of(&of(Vec::new()), &whole), [Part::Dependencies]);
        let build = Dependency { kind: DependencyKind::Build, ..whole.dependencies[1].clone() };
        assert_eq!(parts_of(&of(vec![whole.dependencies[0].clone(), build]), &whole), [Part::Dependencies]);
        let values = compare(&lost_rename, &whole).remove(&Part::Rename).unwrap();
        assert_eq!(values, ("long: long is long".to_owned(), "long: short is long".to_owned()));
    }

    #[test]
    fn each_other_field_is_a_part_of_its_own() {
        let plain = dependency("a", None, None);
        let changed = Dependency {
            requirement: "2".parse().unwrap(),
            registry: Some("https://x/".to_owned()),
            optional: true,
            default_features: false,
            features: vec!["f".to_owned()],
            public: Some(true),
            ..plain.clone()
        };
        let found = of(vec![plain]);
        let expected = Summary {
            links: Some("z".to_owned()),
            rust_version: Some("1.60".to_owned()),
            features: Features::from([("x".to_owned(), Vec::new())]),
            ..of(vec![changed])
        };
        let all = [
            Part::Requirement,
            Part::Registry,
            Part::Optional,
            Part::DefaultFeatures,
            Part::EnabledFeatures,
            Part::Public,
            Part::Features,
            Part::Links,
            Part::RustVersion,
        ];
        assert_eq!(parts_of(&found, &expected), all);
    }
}
