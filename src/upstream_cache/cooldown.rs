//! The age at which versions of an upstream are shown.

use chrono::TimeDelta;

use crate::package::CrateName;
use crate::package::crate_pattern::CratePattern;

/// The ages of an upstream's crates.
#[derive(Clone, Debug, Default)]
pub struct Cooldowns {
    /// That of crates that no pattern names.
    pub of_all: Option<TimeDelta>,
    /// Those of some crates, in the order of the options; None shows their versions at once.
    pub of_patterns: Vec<(CratePattern, Option<TimeDelta>)>,
    /// Whether a young version is refused even if its file is kept.
    pub is_strict: bool,
}

impl Cooldowns {
    /// The age for a crate: a pattern that is its name counts first, then the one with the longest beginning, of equal ones the last.
    pub fn of(&self, name: &CrateName) -> Option<TimeDelta> {
        let matching = self.of_patterns.iter().filter(|(pattern, _)| pattern.matches(name));
        let closest = matching.max_by_key(|(pattern, _)| {
            let (beginning, is_beginning) = pattern.canonical();
            (!is_beginning, beginning.len())
        });
        closest.map_or(self.of_all, |(_, age)| *age)
    }
}

/// An age for people.
pub fn in_words(age: TimeDelta) -> String {
    let age = age.to_std().unwrap_or_default();
    let days = age.as_secs() / (24 * 3600);
    match age.as_secs() % (24 * 3600) {
        0 if days == 1 => "1 day".to_owned(),
        0 => format!("{days} days"),
        _ => humantime::format_duration(age).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_pattern_counts() {
        let days = |days: i64| Some(TimeDelta::days(days));
        let patterns = [("aws-*", days(1)), ("aws-sdk-s3", None), ("aws-sdk-*", days(7)), ("aws-*", days(2))];
        let cooldowns = Cooldowns {
            of_all: days(3),
            of_patterns: patterns.map(|(pattern, age)| (pattern.parse().unwrap(), age)).to_vec(),
            is_strict: false,
        };
        let of = |name: &str| cooldowns.of(&name.parse().unwrap());
        assert_eq!([of("serde"), of("aws-lc"), of("AWS_SDK_ec2"), of("aws-sdk-s3")], [days(3), days(2), days(7), None]);
        assert_eq!(in_words(TimeDelta::days(1)), "1 day");
        assert_eq!(in_words(TimeDelta::hours(36)), "1day 12h");
    }
}
