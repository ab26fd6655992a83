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

    /// Those of a policy. A severity that it does not name has the action of the next lower one: what is done about a high one is
    /// done about a critical one at least. Unrated ones stand apart.
    pub fn of_policy(policy: &[At]) -> Self {
        let of = |severity: Severity| policy.iter().rev().find(|at| at.0 == severity).map(|at| at.1);
        let mut actions = Self::default().with(Severity::Unrated, of(Severity::Unrated).unwrap_or_default());
        let mut lower = Action::default();
        for severity in [Severity::Low, Severity::Medium, Severity::High, Severity::Critical] {
            lower = of(severity).unwrap_or(lower);
            actions = actions.with(severity, lower);
        }
        actions
    }

    /// As a policy: the severities that do more than to warn.
    pub fn described(&self) -> impl Iterator<Item = String> {
        let of = |severity: Severity| (severity, self.of(severity));
        let active = Severity::ALL.map(of).into_iter().filter(|(_, action)| *action != Action::default());
        active.map(|(severity, action)| format!("{severity}={action}"))
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
        let policy = ["high=refuse", "medium=hide", "unrated=warn"].map(|text| text.parse().unwrap());
        let actions = Actions::of_policy(&policy);
        let of = Severity::ALL.map(|severity| actions.of(severity));
        assert_eq!(of, [Action::Warn, Action::Warn, Action::Hide, Action::Refuse, Action::Refuse]);
        assert_eq!(actions.described().collect::<Vec<_>>(), ["medium=hide", "high=refuse", "critical=refuse"]);
        for wrong in ["critical", "worst=hide", "high=drop", ""] {
            assert!(wrong.parse::<At>().unwrap_err().contains("use SEVERITY=ACTION"), "{wrong}");
        }
    }
}
