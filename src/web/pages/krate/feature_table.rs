//! The features of a version: what each enables, and which are default.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::reading::Reading;
use crate::database::catalog::dependencies::StoredDependency;
use crate::web::pages::parts::text::name;

/// A feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub feature: String,
    pub enables: Vec<String>,
    /// Whether a dependent has it without asking.
    pub is_default: bool,
    /// It is that of an optional dependency, and not in the table of features.
    pub is_implied: bool,
}

/// The most values that are shown of one feature.
const SHOWN: usize = 60;

/// The features, `default` first.
pub fn rows(reading: &Reading) -> Vec<Row> {
    let features = reading.found.version.about.features.clone().unwrap_or_default();
    features_of(&features, &reading.dependencies)
}

/// The features of this table, and those of optional dependencies.
pub fn features_of(features: &BTreeMap<String, Vec<String>>, dependencies: &[StoredDependency]) -> Vec<Row> {
    let mut rows: Vec<Row> = features
        .iter()
        .map(|(feature, enables)| Row {
            feature: feature.clone(),
            enables: enables.clone(),
            is_default: false,
            is_implied: false,
        })
        .collect();
    // An optional dependency is a feature, unless a feature names it with `dep:`. Source: the Cargo book, "Features".
    let named: BTreeSet<&str> = features.values().flatten().filter_map(|value| value.strip_prefix("dep:")).collect();
    let mut implied = BTreeSet::new();
    for dependency in dependencies.iter().filter(|dependency| dependency.optional) {
        let key = dependency.rename.as_ref().unwrap_or(&dependency.name);
        if !named.contains(key.as_str()) && !features.contains_key(key) && implied.insert(key.clone()) {
            let enables = vec![format!("dep:{key}")];
            rows.push(Row { feature: key.clone(), enables, is_default: false, is_implied: true });
        }
    }
    let default = enabled_by_default(features);
    for row in &mut rows {
        row.is_default = default.contains(row.feature.as_str());
    }
    rows.sort_by(|one, other| {
        (one.feature != "default", &one.feature).cmp(&(other.feature != "default", &other.feature))
    });
    rows
}

/// The features that `default` enables, by others as well.
fn enabled_by_default(features: &BTreeMap<String, Vec<String>>) -> BTreeSet<&str> {
    let mut enabled = BTreeSet::new();
    let mut next = vec!["default"];
    while let Some(feature) = next.pop() {
        if enabled.insert(feature) {
            next.extend(features.get(feature).into_iter().flatten().map(String::as_str));
        }
    }
    enabled
}

/// The table of these features.
pub fn table(rows: &[Row]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Features" {
            table {
                caption { "What each feature enables" }
                thead { tr { th scope="col" { "Feature" } th scope="col" { "Enables" } } }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" class="wrap" {
                                code { (name(&row.feature)) }
                                @if row.is_default && row.feature != "default" { " " span class="tag good" { "default" } }
                                @if row.is_implied { " " span class="tag" { "optional dependency" } }
                            }
                            td class="wrap" {
                                @if row.enables.is_empty() { span class="muted" { "nothing else" } }
                                @for (place, value) in row.enables.iter().take(SHOWN).enumerate() {
                                    @if place > 0 { ", " }
                                    code { (name(value)) }
                                }
                                @if row.enables.len() > SHOWN { " and " (row.enables.len() - SHOWN) " more" }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_optional_dependencies_are_implied_unless_they_are_named() {
        let optional = |name: &str| StoredDependency {
            id: 1,
            version_id: 1,
            name: name.to_owned(),
            rename: None,
            req: "1".to_owned(),
            kind: "normal".to_owned(),
            optional: true,
            default_features: true,
            features: Vec::new(),
            target: None,
            registry: None,
        };
        let features = [("default", vec!["std"]), ("std", vec!["dep:named", "x"]), ("x", vec![]), ("y", vec![])];
        let features = features
            .into_iter()
            .map(|(name, on)| (name.to_owned(), on.into_iter().map(str::to_owned).collect()))
            .collect();
        let rows = features_of(&features, &[optional("named"), optional("serde")]);
        let shown: Vec<_> = rows.iter().map(|row| (row.feature.as_str(), row.is_default, row.is_implied)).collect();
        let expected = [
            ("default", true, false),
            ("serde", false, true),
            ("std", true, false),
            ("x", true, false),
            ("y", false, false),
        ];
        assert_eq!(shown, expected);
    }
}
