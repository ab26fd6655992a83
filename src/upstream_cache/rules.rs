//! The rules about crates and versions of one upstream, as requests look them up.

use std::collections::HashMap;
use std::sync::Arc;

use crate::database::upstream_rules::{Decision, Rule};
use crate::package::CrateName;

/// The rules of an upstream, by crate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(HashMap<String, Arc<CrateRules>>);

/// What was decided about a crate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrateRules {
    all: Option<(Decision, String)>,
    versions: HashMap<String, (Decision, String)>,
}

impl Rules {
    /// Those of an upstream among all rules.
    pub fn of(upstream: &str, rules: &[Rule]) -> Self {
        let mut crates: HashMap<String, CrateRules> = HashMap::new();
        for rule in rules.iter().filter(|rule| rule.upstream == upstream) {
            let of = crates.entry(rule.canonical_name.clone()).or_default();
            let decided = (rule.decision, rule.reason.clone());
            if rule.version.is_empty() {
                of.all = Some(decided);
            } else {
                of.versions.insert(rule.version.clone(), decided);
            }
        }
        Self(crates.into_iter().map(|(name, rules)| (name, Arc::new(rules))).collect())
    }

    /// Those of a crate.
    pub fn of_crate(&self, name: &CrateName) -> Option<Arc<CrateRules>> {
        self.0.get(&name.canonical()).cloned()
    }
}

/// What a decision names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    Version,
    /// The version without its build metadata, as people write it.
    WithoutBuild,
    Crate,
}

impl CrateRules {
    /// The decision about a version, its reason, and what it names: one about the version counts before one about the crate.
    pub fn about(&self, version: &str) -> Option<(Decision, &str, Names)> {
        let without_build = || self.versions.get(version.split_once('+')?.0).map(|found| (found, Names::WithoutBuild));
        let found = self.versions.get(version).map(|found| (found, Names::Version));
        let found = found.or_else(without_build).or_else(|| self.all.as_ref().map(|found| (found, Names::Crate)));
        found.map(|((decision, reason), names)| (*decision, reason.as_str(), names))
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    fn rule(upstream: &str, version: &str, decision: Decision) -> Rule {
        Rule {
            id: 1,
            upstream: upstream.to_owned(),
            canonical_name: "foo_bar".to_owned(),
            crate_name: "foo-bar".to_owned(),
            version: version.to_owned(),
            decision,
            reason: format!("{decision} {version}"),
            actor: "ops".to_owned(),
            created_at: Utc::now(),
        }
    }

    #[test]
    fn a_rule_about_a_version_counts_before_one_about_the_crate() {
        let all = [
            rule("crates-io", "", Decision::Block),
            rule("crates-io", "1.0.0", Decision::Allow),
            rule("acme", "2.0.0", Decision::Block),
        ];
        let name: CrateName = "Foo-Bar".parse().unwrap();
        let rules = Rules::of("crates-io", &all).of_crate(&name).unwrap();
        assert_eq!(rules.about("1.0.0"), Some((Decision::Allow, "allow 1.0.0", Names::Version)));
        assert_eq!(rules.about("1.0.0+x").map(|(_, _, names)| names), Some(Names::WithoutBuild));
        assert_eq!(rules.about("2.0.0"), Some((Decision::Block, "block ", Names::Crate)));
        assert_eq!(Rules::of("acme", &all).of_crate(&name).unwrap().about("1.0.0"), None);
        assert_eq!(Rules::of("other", &all).of_crate(&name), None);
    }
}
