//! What a crate's versions in the index say of the crate: how many there are, and which is the highest, the newest and the
//! default one.

use diesel::prelude::*;
use serde::Serialize;

use crate::database::schema::crates;
use crate::package::Version;

/// A version that is in the index.
#[derive(Queryable, Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub id: i32,
    pub num: Version,
    pub yanked: Option<bool>,
}

impl Shown {
    fn is_usable(&self) -> bool {
        self.yanked == Some(false)
    }
}

/// The columns of a crate that follow from its versions.
#[derive(Queryable, Selectable, AsChangeset, Serialize, Clone, Debug, Default, PartialEq, Eq)]
#[diesel(table_name = crates, treat_none_as_null = true)]
pub struct VersionSummary {
    /// The highest version that is not yanked, or the highest of all.
    pub max_version: Option<Version>,
    pub max_stable_version: Option<Version>,
    /// The version that was published last.
    pub newest_version: Option<Version>,
    pub default_version_id: Option<i32>,
    pub version_count: i32,
    /// Whether every version is yanked.
    pub yanked: bool,
}

/// The default version, which describes a crate: the highest that is neither yanked nor a pre-release, else the highest
/// that is not yanked, else the highest yanked one that is not a pre-release, else the highest. crates.io has the same
/// rule.
pub fn default_version(shown: &[Shown]) -> Option<&Shown> {
    shown.iter().max_by_key(|&one| (one.is_usable(), !one.num.is_prerelease(), &one.num, one.id))
}

impl VersionSummary {
    /// Of the versions in the index, in the order of their ids.
    pub fn of(shown: &[Shown]) -> Self {
        let Some(default) = default_version(shown) else { return Self::default() };
        let usable = || shown.iter().filter(|one| one.is_usable());
        let max = usable().map(|one| &one.num).max().or_else(|| shown.iter().map(|one| &one.num).max());
        Self {
            max_version: max.cloned(),
            max_stable_version: usable().map(|one| &one.num).filter(|num| !num.is_prerelease()).max().cloned(),
            newest_version: usable().next_back().or(shown.last()).map(|one| one.num.clone()),
            default_version_id: Some(default.id),
            version_count: count(shown.len()),
            yanked: usable().next().is_none(),
        }
    }

    /// The summary after these versions were added, which were published after all others. None if it does not follow from
    /// the summary alone.
    pub fn with_added(&self, added: &[Shown]) -> Option<Self> {
        let of_added = Self::of(added);
        if added.is_empty() {
            return Some(self.clone());
        }
        if self.version_count == 0 {
            return Some(of_added);
        }
        let version_count = self.version_count.saturating_add(of_added.version_count);
        match (self.yanked, of_added.yanked) {
            // The default version of yanked ones is not the highest if that is a pre-release.
            (true, true) => None,
            (true, false) => Some(Self { version_count, ..of_added }),
            (false, true) => Some(Self { version_count, ..self.clone() }),
            (false, false) => {
                let default = |one: &Self| one.max_stable_version.clone().or_else(|| one.max_version.clone());
                let is_stable = |one: &Self| one.max_stable_version.is_some();
                let is_default = (is_stable(&of_added), default(&of_added)) > (is_stable(self), default(self));
                Some(Self {
                    max_version: self.max_version.clone().max(of_added.max_version),
                    max_stable_version: self.max_stable_version.clone().max(of_added.max_stable_version),
                    newest_version: of_added.newest_version,
                    default_version_id: if is_default { of_added.default_version_id } else { self.default_version_id },
                    version_count,
                    yanked: false,
                })
            }
        }
    }

    /// Whether the summary stays as it is when this version is yanked, which was not yanked.
    pub fn survives_the_yank_of(&self, id: i32, num: &Version) -> bool {
        let named = [&self.max_version, &self.max_stable_version, &self.newest_version];
        !self.yanked && self.default_version_id != Some(id) && named.into_iter().all(|one| one.as_ref() != Some(num))
    }
}

fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(versions: &[(&str, bool)]) -> Vec<Shown> {
        let one =
            |((num, yanked), id): (&(&str, bool), i32)| Shown { id, num: num.parse().unwrap(), yanked: Some(*yanked) };
        versions.iter().zip(1..).map(one).collect()
    }

    fn default(versions: &[(&str, bool)]) -> Option<String> {
        default_version(&shown(versions)).map(|one| one.num.to_string())
    }

    #[test]
    fn a_crate_is_described_by_its_highest_usable_version() {
        let of = |versions: &[(&str, bool)]| default(versions).unwrap();
        assert_eq!(of(&[("1.9.0", false), ("1.10.0", false), ("1.2.0", false)]), "1.10.0");
        assert_eq!(of(&[("1.0.0", false), ("2.0.0-rc.1", false)]), "1.0.0");
        assert_eq!(of(&[("1.0.0", true), ("2.0.0-rc.1", false)]), "2.0.0-rc.1");
        assert_eq!(of(&[("1.0.0", true), ("2.0.0-rc.1", true)]), "1.0.0");
        assert_eq!(default(&[]), None);
    }

    /// Every list of up to four of these versions, each yanked or not.
    fn lists() -> Vec<Vec<(&'static str, bool)>> {
        const NUMS: [&str; 4] = ["1.0.0", "2.0.0-rc.1", "0.9.0", "3.0.0-rc.1"];
        let mut lists = vec![Vec::new()];
        for length in 0..NUMS.len() {
            for list in lists.clone().into_iter().filter(|list| list.len() == length) {
                for num in NUMS.into_iter().filter(|num| list.iter().all(|(other, _)| other != num)) {
                    lists.extend([true, false].map(|yanked| [list.as_slice(), &[(num, yanked)]].concat()));
                }
            }
        }
        lists
    }

    #[test]
    fn what_is_added_gives_the_summary_of_all() {
        let mut known = 0;
        for list in lists() {
            let all = shown(&list);
            for (before, added) in (0..=all.len()).map(|place| all.split_at(place)) {
                if let Some(after) = VersionSummary::of(before).with_added(added) {
                    assert_eq!(after, VersionSummary::of(&all), "{added:?} after {before:?}");
                    known += usize::from(!added.is_empty());
                }
            }
        }
        assert!(known > 1000, "{known}");
    }

    #[test]
    fn a_yank_that_a_summary_survives_changes_nothing() {
        let mut survived = 0;
        for list in lists() {
            let before = shown(&list);
            let summary = VersionSummary::of(&before);
            for place in (0..before.len()).filter(|place| before[*place].is_usable()) {
                let mut after = before.clone();
                after[place].yanked = Some(true);
                if summary.survives_the_yank_of(before[place].id, &before[place].num) {
                    assert_eq!(VersionSummary::of(&after), summary, "{place} of {before:?}");
                    survived += 1;
                }
            }
        }
        assert!(survived > 50, "{survived}");
    }
}
