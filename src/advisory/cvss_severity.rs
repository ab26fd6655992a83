//! How severe a vulnerability is.

use std::str::FromStr;

use cvss::Cvss;
use strum::{EnumString, IntoStaticStr};

/// The severity of an advisory, in the words of CVSS. The order is that of urgency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// There is no CVSS vector, or one without a score.
    #[default]
    Unrated,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const ALL: [Self; 5] = [Self::Unrated, Self::Low, Self::Medium, Self::High, Self::Critical];

    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// That of a CVSS vector of version 2, 3 or 4; unrated if it is none.
    pub fn of_vector(vector: &str) -> Self {
        let Ok(read) = Cvss::from_str(vector) else { return Self::Unrated };
        match read.severity() {
            // Also that of an incomplete vector.
            cvss::Severity::None => Self::Unrated,
            cvss::Severity::Low => Self::Low,
            cvss::Severity::Medium => Self::Medium,
            cvss::Severity::High => Self::High,
            cvss::Severity::Critical => Self::Critical,
        }
    }

    /// That of a word of GitHub's advisories.
    pub(super) fn of_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "moderate" => Self::Medium,
            word => word.parse().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_has_the_severity_of_its_score() {
        let of = Severity::of_vector;
        assert_eq!(of("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), Severity::Critical);
        assert_eq!(of("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"), Severity::High);
        assert_eq!(of("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"), Severity::Medium);
        assert_eq!(of("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H"), Severity::Critical);
        assert_eq!(of("CVSS:3.1/AV:N"), Severity::Unrated);
        assert_eq!(of(""), Severity::Unrated);
        assert_eq!(Severity::of_word("MODERATE"), Severity::Medium);
        assert!(Severity::Unrated < Severity::Low && Severity::High < Severity::Critical);
    }
}
