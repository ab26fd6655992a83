//! Intervals of versions, in the order of SemVer. Pre-releases are in them, other than in requirements of Cargo.toml.

use semver::{BuildMetadata, Comparator, Op, Prerelease, Version, VersionReq};
use serde::{Deserialize, Serialize};

/// The versions from one on, and below another one. Without either bound, all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Version>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Version>,
}

impl Interval {
    pub fn contains(&self, version: &Version) -> bool {
        let is_from = self.from.as_ref().is_none_or(|from| version.cmp_precedence(from).is_ge());
        is_from && self.below.as_ref().is_none_or(|below| version.cmp_precedence(below).is_lt())
    }

    /// Whether they have a version in common.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let begins_before = |one: &Self, other: &Self| match (&one.from, &other.below) {
            (Some(from), Some(below)) => from.cmp_precedence(below).is_lt(),
            _ => true,
        };
        begins_before(self, other) && begins_before(other, self)
    }

    /// The versions of a requirement such as `>= 1.2.3, < 2`. The error says what cannot be read.
    pub fn of_requirement(text: &str) -> Result<Self, String> {
        let requirement = VersionReq::parse(text).map_err(|error| error.to_string())?;
        requirement.comparators.iter().try_fold(Self::default(), |interval, comparator| {
            let (from, below) = bounds(comparator).ok_or("a number of it is too large")?;
            Ok(Self { from: later(interval.from, from), below: earlier(interval.below, below) })
        })
    }
}

/// The version that a requirement begins with, if it names one: 1.2.3 of `>= 1.2.3` and `^1.2.3`, none of `> 1.2.3`.
pub fn named(requirement: &str) -> Option<Version> {
    let requirement = VersionReq::parse(requirement).ok()?;
    let begins = |of: &&Comparator| matches!(of.op, Op::Exact | Op::GreaterEq | Op::Tilde | Op::Caret);
    requirement.comparators.iter().find(begins).map(least)
}

fn bounds(of: &Comparator) -> Option<(Option<Version>, Option<Version>)> {
    let least = least(of);
    Some(match of.op {
        Op::Exact if is_full(of) => (Some(least.clone()), Some(next(&least)?)),
        Op::Exact | Op::Wildcard => (Some(least), Some(after(of)?)),
        Op::Greater if is_full(of) => (Some(next(&least)?), None),
        Op::Greater => (Some(after(of)?), None),
        Op::GreaterEq => (Some(least), None),
        Op::Less => (None, Some(least)),
        Op::LessEq if is_full(of) => (None, Some(next(&least)?)),
        Op::LessEq => (None, Some(after(of)?)),
        Op::Tilde if of.minor.is_some() => (Some(least.clone()), Some(begin(of.major, least.minor.checked_add(1)?, 0))),
        Op::Tilde => (Some(least), Some(after(of)?)),
        Op::Caret => (Some(least), Some(incompatible(of)?)),
        // `Op` may get more variants; the parser knows none today.
        _ => return None,
    })
}

fn is_full(of: &Comparator) -> bool {
    of.patch.is_some()
}

/// The first version of a comparator, whose missing numbers are 0.
fn least(of: &Comparator) -> Version {
    Version {
        major: of.major,
        minor: of.minor.unwrap_or(0),
        patch: of.patch.unwrap_or(0),
        pre: of.pre.clone(),
        build: BuildMetadata::EMPTY,
    }
}

/// The first version, pre-releases included, after all that begin as a comparator with one or two numbers.
fn after(of: &Comparator) -> Option<Version> {
    Some(match of.minor {
        Some(minor) => begin(of.major, minor.checked_add(1)?, 0),
        None => begin(of.major.checked_add(1)?, 0, 0),
    })
}

/// The first version that is not compatible in the sense of cargo.
fn incompatible(of: &Comparator) -> Option<Version> {
    Some(match (of.major, of.minor, of.patch) {
        (0, Some(0), Some(patch)) => begin(0, 0, patch.checked_add(1)?),
        (0, Some(minor), _) => begin(0, minor.checked_add(1)?, 0),
        (major, ..) => begin(major.checked_add(1)?, 0, 0),
    })
}

/// The first pre-release of a version.
fn begin(major: u64, minor: u64, patch: u64) -> Version {
    Version { pre: first(), ..Version::new(major, minor, patch) }
}

/// The lowest identifier of a pre-release.
fn first() -> Prerelease {
    Prerelease::new("0").unwrap_or(Prerelease::EMPTY)
}

/// The next version in the order of SemVer: 1.2.4-0 after 1.2.3.
pub fn next(version: &Version) -> Option<Version> {
    let mut next = Version { build: BuildMetadata::EMPTY, ..version.clone() };
    if next.pre.is_empty() {
        next.patch = next.patch.checked_add(1)?;
        next.pre = first();
    } else {
        next.pre = Prerelease::new(&format!("{}.0", next.pre)).ok()?;
    }
    Some(next)
}

fn later(one: Option<Version>, other: Option<Version>) -> Option<Version> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one.cmp_precedence(&other).is_lt() { other } else { one }),
        (one, other) => one.or(other),
    }
}

fn earlier(one: Option<Version>, other: Option<Version>) -> Option<Version> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one.cmp_precedence(&other).is_gt() { other } else { one }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(requirement: &str, of: &[&str]) -> Vec<String> {
        let interval = Interval::of_requirement(requirement).unwrap();
        of.iter().filter(|text| interval.contains(&text.parse().unwrap())).map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_requirement_is_an_interval_with_its_pre_releases() {
        let all = [
            "0.9.0",
            "1.2.3-rc.1",
            "1.2.3",
            "1.2.3+x",
            "1.2.4-rc.1",
            "1.2.4",
            "1.3.0-0",
            "1.3.0",
            "2.0.0-rc.1",
            "2.0.0",
        ];
        assert_eq!(versions("*", &all), all);
        assert_eq!(versions(">= 1.2.4", &all), all[5..]);
        assert_eq!(versions("> 1.2.3", &all), all[4..]);
        assert_eq!(versions("> 1.2", &all), all[6..]);
        assert_eq!(versions("< 1.2.3", &all), all[..2]);
        assert_eq!(versions("<= 1.2.3", &all), all[..4]);
        assert_eq!(versions("<= 1.2", &all), all[..6]);
        assert_eq!(versions("= 1.2.3", &all), ["1.2.3", "1.2.3+x"]);
        assert_eq!(versions("^1.2.4", &all), ["1.2.4", "1.3.0-0", "1.3.0"]);
        assert_eq!(versions("~1.2.3", &all), all[2..6]);
        assert_eq!(versions("1.2.*", &all), all[1..6]);
        assert_eq!(versions(">= 1.2.3, < 2.0.0", &all), all[2..9]);
        assert_eq!(versions("^0.9", &all), ["0.9.0"]);
        assert!(Interval::of_requirement("new ones").is_err());
        assert!(Interval::of_requirement(&format!("^{}.0.0", u64::MAX)).is_err());
    }

    #[test]
    fn a_requirement_names_the_version_that_it_begins_with() {
        let named = |text: &str| super::named(text).map(|version| version.to_string());
        assert_eq!(named(">= 1.2.3").as_deref(), Some("1.2.3"));
        assert_eq!(named("^1.2.3, < 1.9").as_deref(), Some("1.2.3"));
        assert_eq!(named("< 2.0, >= 1.2").as_deref(), Some("1.2.0"));
        assert_eq!(named("=1.2.3").as_deref(), Some("1.2.3"));
        for none in ["> 1.2.3", "< 2.0.0", "*", "1.*", "nothing"] {
            assert_eq!(named(none), None, "{none}");
        }
    }
}
