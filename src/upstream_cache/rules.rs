//! The rules about crates and versions of one upstream, as requests look them up.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::database::upstream_rules::{Decision, Rule};
use crate::package::CrateName;

/// The rules of an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    crates: HashMap<String, Arc<CrateRules>>,
    /// Those about several crates, by the beginning of their names, the longest first.
    beginnings: Vec<(String, Arc<CrateRules>)>,
}

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
        let mut all = Self::default();
        for (name, rules) in crates {
            match name.strip_suffix('*') {
                Some(beginning) => all.beginnings.push((beginning.to_owned(), Arc::new(rules))),
                None => drop(all.crates.insert(name, Arc::new(rules))),
            }
        }
        all.beginnings.sort_by_key(|(beginning, _)| Reverse(beginning.len()));
        all
    }

    /// Those of a crate. One about it counts before those about several crates, of which the longest beginning counts.
    pub fn of_crate(&self, name: &CrateName) -> Option<Arc<CrateRules>> {
        let name = name.canonical();
        let of_it = self.crates.get(&name);
        if let Some(rules) = of_it.filter(|rules| rules.all.is_some()) {
            return Some(Arc::clone(rules));
        }
        let beginning = self.beginnings.iter().find(|(beginning, _)| name.starts_with(beginning));
        match (of_it, beginning.map(|(_, rules)| rules)) {
            (Some(of_it), Some(of_several)) => {
                Some(Arc::new(CrateRules { all: of_several.all.clone(), versions: of_it.versions.clone() }))
            }
            (of_it, of_several) => of_it.or(of_several).cloned(),
        }
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

    #[test]
    fn the_longest_beginning_of_a_name_counts_after_the_crate_itself() {
        let of = |name: &str, version: &str, decision| Rule {
            canonical_name: name.to_owned(),
            ..rule("crates-io", version, decision)
        };
        let all = [
            of("*", "", Decision::Block),
            of("foo_*", "", Decision::Hold),
            of("foo_bar", "1.0.0", Decision::Allow),
            of("foo_baz", "", Decision::Allow),
        ];
        let rules = Rules::of("crates-io", &all);
        let about = |name: &str, version: &str| {
            let rules = rules.of_crate(&name.parse().unwrap()).unwrap();
            rules.about(version).map(|(decision, _, names)| (decision, names))
        };
        assert_eq!(about("serde", "1.0.0"), Some((Decision::Block, Names::Crate)));
        assert_eq!(about("foo", "1.0.0"), Some((Decision::Block, Names::Crate)));
        assert_eq!(about("Foo-quux", "1.0.0"), Some((Decision::Hold, Names::Crate)));
        assert_eq!(about("foo-bar", "1.0.0"), Some((Decision::Allow, Names::Version)));
        assert_eq!(about("foo-bar", "2.0.0"), Some((Decision::Hold, Names::Crate)));
        assert_eq!(about("foo-baz", "2.0.0"), Some((Decision::Allow, Names::Crate)));
    }
}
