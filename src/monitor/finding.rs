//! What a check answers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing was looked at, because something is away that has a check of its own.
    Skipped,
    Ok,
    Warning,
    /// It could not be looked at.
    Unknown,
    Critical,
}

impl Severity {
    /// The exit code of monitoring plug-ins.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Skipped | Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Skipped => "SKIPPED",
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Unknown => "UNKNOWN",
            Self::Critical => "CRITICAL",
        }
    }
}

/// A number that a check looked at, and its limits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    pub value: f64,
    /// `s`, `%`, or nothing for a count.
    pub unit: &'static str,
    pub warning: Option<f64>,
    pub critical: Option<f64>,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Names the check, for ever: incidents are keyed by it.
    pub check: &'static str,
    pub severity: Severity,
    /// One sentence without a full stop.
    pub summary: String,
    pub measure: Option<Measure>,
    /// What helps to find the cause: jobs, say.
    pub details: Value,
}

impl Finding {
    pub fn new(check: &'static str, severity: Severity, summary: impl Into<String>) -> Self {
        Self { check, severity, summary: summary.into(), measure: None, details: Value::Null }
    }

    pub fn skipped(check: &'static str, because: &str) -> Self {
        Self::new(check, Severity::Skipped, because)
    }

    pub fn measured(self, value: f64, unit: &'static str, warning: Option<f64>, critical: Option<f64>) -> Self {
        Self { measure: Some(Measure { value, unit, warning, critical }), ..self }
    }

    pub fn with(self, details: impl Serialize) -> Self {
        // What can't be written as JSON has keys that are no text; nothing here has.
        Self { details: serde_json::to_value(details).unwrap_or_default(), ..self }
    }
}

/// A time for people, in its two largest units.
pub(super) fn span(seconds: f64) -> String {
    let whole = std::time::Duration::from_secs_f64(seconds.clamp(0.0, 1e10).floor());
    humantime::format_duration(whole).to_string().split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_critical_comes_before_what_is_not_known_and_that_before_a_warning() {
        let mut all = [Severity::Unknown, Severity::Ok, Severity::Critical, Severity::Skipped, Severity::Warning];
        all.sort();
        assert_eq!(all.map(Severity::word), ["SKIPPED", "OK", "WARNING", "UNKNOWN", "CRITICAL"]);
        assert_eq!(all.map(Severity::exit_code), [0, 0, 1, 3, 2]);
    }

    #[test]
    fn a_span_is_told_in_two_units() {
        assert_eq!([0.4, 75.9, 1320.0, 93_784.0].map(span), ["0s", "1m 15s", "22m", "1day 2h"]);
    }
}
