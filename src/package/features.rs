//! The features of a version: the check of the feature table, and its division for the index.
//!
//! cargo builds a version's feature table each time it reads the index, and cannot use a version whose table is
//! inconsistent. The rules here are cargo's (`build_feature_map` in `cargo/src/cargo/core/summary.rs`), so every cargo can
//! load a table that passes.

use std::collections::{BTreeMap, BTreeSet};

use super::dependency::Dependency;
use super::excerpt::Excerpt;

/// Features by name, each with the values that it includes.
pub type Features = BTreeMap<String, Vec<String>>;

/// Why cargo could not load a feature table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// The name of a feature is invalid.
    #[error("the feature name {} is not allowed: start it with a letter, a digit or `_` and continue with letters, digits, `_`, `-`, `+` and `.`", Excerpt(.feature))]
    Name {
        /// The feature.
        feature: String,
    },
    /// A feature includes a malformed value.
    #[error("the feature {} includes {}, which is not of the form `feature`, `dep:name`, `name/feature` or `name?/feature`", Excerpt(.feature), Excerpt(.value))]
    Value {
        /// The feature.
        feature: String,
        /// What it includes.
        value: String,
    },
    /// A feature includes a value that does not exist.
    #[error("the feature {} includes {}, which is neither a feature nor a dependency of this crate: correct the name or add it", Excerpt(.feature), Excerpt(.value))]
    Unknown {
        /// The feature.
        feature: String,
        /// What it includes.
        value: String,
    },
    /// A feature includes a dependency that is not optional.
    #[error("the feature {} includes {}, but that dependency is not optional: add `optional = true` to it or remove it from the feature", Excerpt(.feature), Excerpt(.value))]
    NotOptional {
        /// The feature.
        feature: String,
        /// What it includes.
        value: String,
    },
    /// A feature uses the implicit feature of a dependency that has none.
    #[error("the feature {} includes {}, an optional dependency without a feature of that name: write `dep:{value}`", Excerpt(.feature), Excerpt(.value))]
    NoImplicitFeature {
        /// The feature.
        feature: String,
        /// What it includes.
        value: String,
    },
    /// No feature can enable an optional dependency.
    #[error("the optional dependency {} is not included in any feature: add `dep:{key}` to one", Excerpt(.key))]
    Unreachable {
        /// The key of the dependency.
        key: String,
    },
}

/// A parsed value of a feature.
enum FeatureValue<'a> {
    Feature(&'a str),
    Dependency(&'a str),
    DependencyFeature { key: &'a str, feature: &'a str, weak: bool },
}

impl<'a> FeatureValue<'a> {
    fn parse(value: &'a str) -> Self {
        if let Some((key, feature)) = value.split_once('/') {
            let weak = key.strip_suffix('?');
            return Self::DependencyFeature { key: weak.unwrap_or(key), feature, weak: weak.is_some() };
        }
        match value.strip_prefix("dep:") {
            Some(key) => Self::Dependency(key),
            None => Self::Feature(value),
        }
    }
}

/// The features, and for each dependency key whether a dependency of that key is optional.
struct Table<'a> {
    features: &'a Features,
    optional: BTreeMap<&'a str, bool>,
    explicit: BTreeSet<&'a str>,
}

impl<'a> Table<'a> {
    fn new(features: &'a Features, dependencies: &'a [Dependency]) -> Self {
        let mut optional = BTreeMap::new();
        for dependency in dependencies {
            *optional.entry(dependency.key()).or_insert(false) |= dependency.optional;
        }
        let explicit = features.values().flatten().filter_map(|value| value.strip_prefix("dep:")).collect();
        Self { features, optional, explicit }
    }

    fn check_value(&self, feature: &str, value: &str) -> Result<(), FeatureError> {
        let facts = || (feature.to_owned(), value.to_owned());
        let unknown = || {
            let (feature, value) = facts();
            FeatureError::Unknown { feature, value }
        };
        let not_optional = || {
            let (feature, value) = facts();
            FeatureError::NotOptional { feature, value }
        };
        match FeatureValue::parse(value) {
            FeatureValue::Feature(name) if self.features.contains_key(name) => Ok(()),
            FeatureValue::Feature(name) => match self.optional.get(name) {
                None => Err(unknown()),
                Some(false) => Err(not_optional()),
                Some(true) if self.explicit.contains(name) => {
                    let (feature, value) = facts();
                    Err(FeatureError::NoImplicitFeature { feature, value })
                }
                Some(true) => Ok(()),
            },
            FeatureValue::Dependency(key) => match self.optional.get(key) {
                None => Err(unknown()),
                Some(false) => Err(not_optional()),
                Some(true) => Ok(()),
            },
            FeatureValue::DependencyFeature { key, feature: of, weak } => {
                if of.is_empty() || of.contains('/') || key.starts_with("dep:") {
                    let (feature, value) = facts();
                    return Err(FeatureError::Value { feature, value });
                }
                match self.optional.get(key) {
                    None => Err(unknown()),
                    Some(false) if weak => Err(not_optional()),
                    Some(_) => Ok(()),
                }
            }
        }
    }

    /// Whether a feature, explicit or implicit, enables the optional dependency.
    fn is_reachable(&self, key: &str, included: &BTreeSet<&str>) -> bool {
        self.explicit.contains(key) || included.contains(key) || !self.features.contains_key(key)
    }
}

/// Checks that cargo can load this feature table with these dependencies, and that every feature has a name that cargo
/// allows in a manifest.
///
/// # Errors
///
/// The first [`FeatureError`], in the order of the features' names.
pub fn check(features: &Features, dependencies: &[Dependency]) -> Result<(), FeatureError> {
    if let Some(feature) = features.keys().find(|feature| !is_feature_name(feature)) {
        return Err(FeatureError::Name { feature: feature.clone() });
    }
    check_loadable(features, dependencies)
}

/// Checks that cargo can load this feature table from an index, where it does not check the names.
///
/// # Errors
///
/// The first [`FeatureError`], in the order of the features' names.
pub fn check_loadable(features: &Features, dependencies: &[Dependency]) -> Result<(), FeatureError> {
    let table = Table::new(features, dependencies);
    for (feature, values) in features {
        for value in values {
            table.check_value(feature, value)?;
        }
    }
    let included: BTreeSet<&str> = features
        .values()
        .flatten()
        .filter_map(|value| match FeatureValue::parse(value) {
            FeatureValue::DependencyFeature { key, .. } => Some(key),
            _ => None,
        })
        .collect();
    for (key, optional) in &table.optional {
        if *optional && !table.is_reachable(key, &included) {
            return Err(FeatureError::Unreachable { key: (*key).to_owned() });
        }
    }
    Ok(())
}

fn is_feature_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_alphanumeric() || c == '_')
        && characters.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.'))
}

/// Divides features into those that every cargo can read (`features` in the index) and those that use `dep:` or `?/` or
/// refer to such features (`features2`).
pub fn split(features: Features) -> (Features, Features) {
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (feature, values) in &features {
        for value in values {
            users.entry(value).or_default().push(feature);
        }
    }
    let is_new = |value: &String| value.starts_with("dep:") || value.contains("?/");
    let mut waiting: Vec<&str> =
        features.iter().filter(|(_, values)| values.iter().any(is_new)).map(|(feature, _)| feature.as_str()).collect();
    let mut second: BTreeSet<String> = BTreeSet::new();
    while let Some(feature) = waiting.pop() {
        if second.insert(feature.to_owned()) {
            waiting.extend(users.get(feature).into_iter().flatten());
        }
    }
    features.into_iter().partition(|(feature, _)| !second.contains(feature))
}

#[cfg(test)]
mod tests {
    use super::super::dependency::{Dependency, Unparsed};
    use super::{FeatureError, Features, check, split};

    fn features(table: &[(&str, &[&str])]) -> Features {
        table
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.iter().map(|v| (*v).to_owned()).collect()))
            .collect()
    }

    fn dependency(key: &str, optional: bool) -> Dependency {
        Dependency::new(Unparsed { key, requirement: "1", optional, ..Unparsed::default() }).unwrap()
    }

    /// One optional dependency, `opt`, and one that is always there, `fixed`.
    fn checked(table: &[(&str, &[&str])]) -> Result<(), FeatureError> {
        check(&features(table), &[dependency("opt", true), dependency("fixed", false)])
    }

    #[test]
    fn a_table_that_refers_to_what_exists_is_sound() {
        let tables: [&[(&str, &[&str])]; 5] = [
            &[],
            &[("a", &["b", "opt"]), ("b", &["fixed/x", "opt/x", "opt?/y"])],
            &[("a", &["dep:opt"]), ("b", &["a", "opt?/y"])],
            &[("opt", &["dep:opt"])],
            &[("c++17", &[]), ("128bit", &[]), ("_f.g-h", &[])],
        ];
        for table in tables {
            assert_eq!(checked(table), Ok(()), "{table:?}");
        }
    }

    // rule: 15
    // protocol: 43
    #[test]
    fn what_cargo_could_not_load_is_refused_naming_the_feature() {
        let error = |table: &[(&str, &[&str])]| checked(table).unwrap_err().to_string();
        insta::assert_snapshot!(error(&[("a", &["nothing"])]), @"the feature `a` includes `nothing`, which is neither a feature nor a dependency of this crate: correct the name or add it");
        insta::assert_snapshot!(error(&[("a", &["fixed"])]), @"the feature `a` includes `fixed`, but that dependency is not optional: add `optional = true` to it or remove it from the feature");
        insta::assert_snapshot!(error(&[("a", &["dep:fixed"])]), @"the feature `a` includes `dep:fixed`, but that dependency is not optional: add `optional = true` to it or remove it from the feature");
        insta::assert_snapshot!(error(&[("a", &["opt"]), ("b", &["dep:opt"])]), @"the feature `a` includes `opt`, an optional dependency without a feature of that name: write `dep:opt`");
        insta::assert_snapshot!(error(&[("a", &["dep:opt/x"])]), @"the feature `a` includes `dep:opt/x`, which is not of the form `feature`, `dep:name`, `name/feature` or `name?/feature`");
        insta::assert_snapshot!(error(&[("opt", &[])]), @"the optional dependency `opt` is not included in any feature: add `dep:opt` to one");
        insta::assert_snapshot!(error(&[("-a", &[])]), @"the feature name `-a` is not allowed: start it with a letter, a digit or `_` and continue with letters, digits, `_`, `-`, `+` and `.`");
        for table in [
            ("a", &["dep:nothing"]),
            ("a", &["nothing/x"]),
            ("a", &["nothing?/x"]),
            ("a", &["fixed?/x"]),
            ("a", &["fixed/x/y"]),
            ("a", &["fixed/"]),
            ("a", &[""]),
        ] {
            assert!(checked(&[(table.0, table.1)]).is_err(), "{table:?}");
        }
        assert!(checked(&[("", &[])]).is_err());
        assert!(checked(&[("dep:opt", &[])]).is_err());
    }

    // protocol: 37
    #[test]
    fn features_that_refer_to_the_new_syntax_move_with_it() {
        let (first, second) = split(features(&[
            ("default", &["std"]),
            ("std", &[]),
            ("tls", &["dep:rustls"]),
            ("weak", &["serde?/std"]),
            ("net", &["tls"]),
            ("full", &["net", "std"]),
            ("strong", &["serde/std"]),
        ]));
        assert_eq!(first.into_keys().collect::<Vec<_>>(), ["default", "std", "strong"]);
        assert_eq!(second.into_keys().collect::<Vec<_>>(), ["full", "net", "tls", "weak"]);
    }

    #[test]
    fn features_that_include_one_another_are_divided_all_the_same() {
        let (first, second) = split(features(&[("a", &["b"]), ("b", &["a", "dep:x"]), ("c", &["d"]), ("d", &["c"])]));
        assert_eq!(first.into_keys().collect::<Vec<_>>(), ["c", "d"]);
        assert_eq!(second.into_keys().collect::<Vec<_>>(), ["a", "b"]);
    }
}
