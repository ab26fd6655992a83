//! What becomes of versions that an advisory affects.

use std::str::FromStr;

use strum::{EnumString, IntoStaticStr};

use super::cvss_severity::Severity;

/// What is done. The order is that of strictness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Action {
    /// It is said on pages and in the API.
    #[default]
    Warn,
    /// The index shows the version as yanked.
    Hide,
    /// And its crate file is never delivered.
    Refuse,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What is done at each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions([Action; Severity::ALL.len()]);

impl Actions {
    pub fn of(&self, severity: Severity) -> Action {
        self.0[severity as usize]
    }

    /// Whether nothing is hidden or refused.
    pub fn only_warn(&self) -> bool {
        *self == Self::default()
    }

    /// With another action at a severity.
    #[must_use]
    pub fn with(mut self, severity: Severity, action: Action) -> Self {
        self.0[severity as usize] = action;
        self
    }
}

/// What to do at a severity, such as `critical=refuse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At(pub Severity, pub Action);

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no policy: use SEVERITY=ACTION, with unrated, low, medium, high or critical, and warn, hide or refuse"
            )
        };
        let (severity, action) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self(severity.parse().map_err(|_| wrong())?, action.parse().map_err(|_| wrong())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_severity_has_its_action() {
        let At(severity, action) = "critical=refuse".parse().unwrap();
        let actions = Actions::default().with(severity, action).with(Severity::Unrated, Action::Hide);
        let of = [Severity::Critical, Severity::High, Severity::Unrated].map(|severity| actions.of(severity));
        assert_eq!(of, [Action::Refuse, Action::Warn, Action::Hide]);
        for wrong in ["critical", "worst=hide", "high=drop", ""] {
            assert!(wrong.parse::<At>().unwrap_err().contains("use SEVERITY=ACTION"), "{wrong}");
        }
    }
}
