//! A crate as it will be when the index shows a new version of it: what the answer of a publish contains. The job that
//! writes the index derives the same from all versions ([`Derived`](super::derived::Derived)).

use chrono::{DateTime, Utc};

use super::crate_details::{CountedCrate, CrateRow};
use crate::database::about::{About, short_url};
use crate::package::{CrateName, Version};

impl CountedCrate {
    /// A crate without a version in the index.
    pub fn new(id: i32, name: CrateName, created_at: DateTime<Utc>) -> Self {
        let row = CrateRow {
            id,
            name,
            created_at,
            updated_at: created_at,
            max_version: None,
            version_count: 0,
            max_stable_version: None,
            newest_version: None,
            description: None,
            homepage: None,
            documentation: None,
            repository: None,
            keywords: Vec::new(),
            categories: Vec::new(),
            yanked: false,
            default_version_id: None,
            trustpub_only: false,
        };
        Self { row, default_version: None, downloads: 0, recent_downloads: 0 }
    }

    /// The crate with one more version, which is the newest and not yanked.
    pub fn with_version(mut self, id: i32, num: &Version, about: &About, at: DateTime<Utc>) -> Self {
        let row = &mut self.row;
        let was_yanked = row.yanked;
        let rank = |usable: bool, num: &Version| (usable, !num.is_prerelease(), num.clone());
        if self.default_version.as_ref().is_none_or(|default| rank(true, num) > rank(!was_yanked, default)) {
            row.description = about.short_description();
            row.homepage = short_url(about.homepage.as_ref());
            row.documentation = short_url(about.documentation.as_ref());
            row.repository = short_url(about.repository.as_ref());
            row.keywords = about.keyword_ids();
            row.categories = about.category_ids();
            row.default_version_id = Some(id);
            self.default_version = Some(num.clone());
        }
        row.max_version = row.max_version.take().filter(|max| !was_yanked && max > num).or_else(|| Some(num.clone()));
        if !num.is_prerelease() && row.max_stable_version.as_ref().is_none_or(|max| num > max) {
            row.max_stable_version = Some(num.clone());
        }
        row.newest_version = Some(num.clone());
        row.version_count += 1;
        row.yanked = false;
        row.updated_at = at;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::catalog::derived::Derived;
    use crate::database::catalog::version_summary::{Shown, VersionSummary, default_version};

    fn about(num: &str) -> About {
        About { description: Some(num.to_owned()), keywords: Some(vec!["Web".to_owned()]), ..About::default() }
    }

    /// What the job derives.
    fn derived(versions: &[(&str, bool)]) -> Derived {
        let shown: Vec<Shown> = versions
            .iter()
            .zip(1..)
            .map(|((num, yanked), id)| Shown { id, num: num.parse().unwrap(), yanked: Some(*yanked) })
            .collect();
        let default = default_version(&shown).map(|default| about(&default.num.to_string()));
        Derived::of(VersionSummary::of(&shown), &default.unwrap_or_default())
    }

    fn row_of(derived: &Derived, versions: &[(&str, bool)]) -> CountedCrate {
        let mut krate = CountedCrate::new(1, "foo".parse().unwrap(), DateTime::UNIX_EPOCH);
        let VersionSummary {
            max_version,
            max_stable_version,
            newest_version,
            default_version_id,
            version_count,
            yanked,
        } = derived.versions.clone();
        let default = default_version_id.and_then(|id| versions.get(usize::try_from(id).unwrap() - 1));
        krate.default_version = default.map(|(num, _)| num.parse().unwrap());
        krate.row = CrateRow {
            max_version,
            max_stable_version,
            newest_version,
            default_version_id,
            version_count,
            yanked,
            description: derived.description.clone(),
            keywords: derived.keywords.clone(),
            ..krate.row
        };
        krate
    }

    #[test]
    fn a_crate_with_one_more_version_is_what_the_job_derives_from_all() {
        const NUMS: [&str; 4] = ["1.0.0", "1.1.0-rc.1", "2.0.0-rc.1", "2.0.0"];
        let with_yanked = |num: &'static str| [(num, false), (num, true)];
        let mut compared = 0;
        for new in NUMS {
            let others: Vec<_> = NUMS.into_iter().filter(|num| *num != new).flat_map(with_yanked).collect();
            let mut before: Vec<Vec<(&str, bool)>> = vec![vec![]];
            before.extend(others.iter().map(|one| vec![*one]));
            before.extend(others.iter().flat_map(|one| others.iter().map(move |two| vec![*one, *two])));
            for before in before.into_iter().filter(|before| before.len() < 2 || before[0].0 != before[1].0) {
                let mut after = before.clone();
                after.push((new, false));
                let id = i32::try_from(after.len()).unwrap();
                let expected = row_of(&derived(&after), &after);
                let found = row_of(&derived(&before), &before).with_version(
                    id,
                    &new.parse().unwrap(),
                    &about(new),
                    DateTime::UNIX_EPOCH,
                );
                assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{before:?} and {new}");
                compared += 1;
            }
        }
        assert_eq!(compared, 4 * (1 + 6 + 24));
    }
}
