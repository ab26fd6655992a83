//! Which versions of a crate an advisory affects.

use semver::Version;
use serde::{Deserialize, Serialize};

use super::interval::{Interval, named};
use super::read_error::{MAX_PARTS, ReadError};

/// The affected versions of a crate, and those that are named as mended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranges {
    /// Affected, except for those of `unaffected`.
    affected: Vec<Interval>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unaffected: Vec<Interval>,
    /// Affected ones that are listed one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    versions: Vec<Version>,
    /// The versions that are named as mended, and no later ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mended: Vec<Version>,
    /// What to use instead, as the advisory says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    patched: Vec<String>,
}

impl Ranges {
    /// All versions are affected except for those of these requirements, in the words of RustSec.
    pub fn except(patched: &[String], unaffected: &[String]) -> Result<Self, ReadError> {
        if patched.len() + unaffected.len() > MAX_PARTS {
            return Err(ReadError::TooManyVersions);
        }
        let interval = |text: &String| {
            Interval::of_requirement(text).map_err(|problem| ReadError::Requirement(text.clone(), problem))
        };
        let outside: Result<Vec<_>, _> = patched.iter().chain(unaffected).map(interval).collect();
        Ok(Self {
            affected: vec![Interval::default()],
            unaffected: outside?,
            versions: Vec::new(),
            mended: patched.iter().filter_map(|text| named(text)).collect(),
            patched: patched.to_vec(),
        })
    }

    /// These intervals and versions are affected. `fixed` are the ends of intervals that are versions which mend it.
    pub(super) fn of(affected: Vec<Interval>, versions: Vec<Version>, fixed: Vec<Version>) -> Result<Self, ReadError> {
        if affected.len().max(versions.len()) > MAX_PARTS {
            return Err(ReadError::TooManyVersions);
        }
        let patched = fixed.iter().map(|version| format!(">={version}")).collect();
        Ok(Self { affected, unaffected: Vec::new(), versions, mended: fixed, patched })
    }

    pub fn affects(&self, version: &Version) -> bool {
        let is_listed = || self.versions.iter().any(|listed| listed.cmp_precedence(version).is_eq());
        let contain = |intervals: &[Interval]| intervals.iter().any(|interval| interval.contains(version));
        (contain(&self.affected) && !contain(&self.unaffected)) || is_listed()
    }

    /// Whether a version is exactly one that is named as mended. Later ones are not: the next release of an attacker would be one.
    pub fn names_as_mended(&self, version: &Version) -> bool {
        !self.affects(version) && self.mended.iter().any(|mended| mended.cmp_precedence(version).is_eq())
    }

    /// What to use instead, as requirements; empty if there is nothing.
    pub fn patched(&self) -> &[String] {
        &self.patched
    }

    /// The affected intervals, in their order, without overlaps; and the affected versions besides.
    pub fn affected(&self) -> (Vec<Interval>, &[Version]) {
        let mut rest = self.affected.clone();
        for hole in &self.unaffected {
            rest = rest.into_iter().flat_map(|interval| without(interval, hole)).collect();
        }
        rest.sort_by(|one, other| one.from.cmp(&other.from));
        (rest, &self.versions)
    }
}

/// The parts of an interval below and above a hole in it.
fn without(interval: Interval, hole: &Interval) -> impl Iterator<Item = Interval> {
    let Interval { from, below } = interval;
    let is_before = |one: &Option<Version>, other: &Option<Version>| match (one, other) {
        (Some(one), Some(other)) => one.cmp_precedence(other).is_lt(),
        _ => true,
    };
    let lower = hole.from.clone().filter(|begin| is_before(&from, &Some(begin.clone()))).map(|begin| {
        let end = match &below {
            Some(below) if below.cmp_precedence(&begin).is_lt() => below.clone(),
            _ => begin,
        };
        Interval { from: from.clone(), below: Some(end) }
    });
    let upper = hole.below.clone().filter(|end| is_before(&Some(end.clone()), &below)).map(|end| {
        let begin = match &from {
            Some(from) if from.cmp_precedence(&end).is_gt() => from.clone(),
            _ => end,
        };
        Interval { from: Some(begin), below: below.clone() }
    });
    [lower, upper].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(patched: &[&str], unaffected: &[&str]) -> Ranges {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Ranges::except(&owned(patched), &owned(unaffected)).unwrap()
    }

    fn shown(ranges: &Ranges) -> Vec<String> {
        let text = |version: &Option<Version>| version.as_ref().map_or("-".to_owned(), Version::to_string);
        ranges.affected().0.iter().map(|of| format!("{}..{}", text(&of.from), text(&of.below))).collect()
    }

    #[test]
    fn what_is_not_patched_and_not_unaffected_is_affected() {
        let of = ranges(&[">= 1.2.3", "^1.0.9"], &["< 0.5.0"]);
        let affected = |text: &str| of.affects(&text.parse().unwrap());
        assert_eq!(
            ["0.4.9", "0.5.0", "1.0.8", "1.0.9", "1.2.3", "2.0.0"].map(affected),
            [false, true, true, false, false, false]
        );
        // The caret has 1.1.0 as well.
        assert_eq!(shown(&of), ["0.5.0..1.0.9"]);
        assert_eq!(shown(&ranges(&[">= 1.2.3", "~1.0.9"], &["< 0.5.0"])), ["0.5.0..1.0.9", "1.1.0-0..1.2.3"]);
        assert_eq!(shown(&ranges(&[], &[])), ["-..-"]);
        assert!(ranges(&[], &[]).affects(&"1.0.0".parse().unwrap()));
        assert_eq!(shown(&ranges(&["*"], &[])), Vec::<String>::new());
        assert_eq!(shown(&ranges(&[">= 2.0.0"], &[">= 3.0.0"])), ["-..2.0.0"]);
    }

    #[test]
    fn only_the_first_version_of_a_patched_range_is_mended() {
        let of = ranges(&[">= 1.2.3", "~1.0.9", "> 0.9.1"], &["^0.3.0"]);
        let mended = |text: &str| of.names_as_mended(&text.parse().unwrap());
        assert_eq!(
            ["1.2.3", "1.0.9", "1.2.4", "0.9.1", "0.9.2", "0.3.0"].map(mended),
            [true, true, false, false, false, false]
        );
        // A version that the same advisory affects mends nothing.
        let listed = Ranges::of(Vec::new(), vec!["1.0.0".parse().unwrap()], vec!["1.0.0".parse().unwrap()]).unwrap();
        assert!(listed.affects(&"1.0.0".parse().unwrap()) && !listed.names_as_mended(&"1.0.0".parse().unwrap()));
        assert!(
            Ranges::except(&["latest".to_owned()], &[]).unwrap_err().to_string().contains("\"latest\" is no range")
        );
    }
}
