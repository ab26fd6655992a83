//! The result of a check.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The severity of a finding, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The check was not run, because something that it depends on is unreachable and has a check of its own.
    Skipped,
    Ok,
    Warning,
    /// The check could not be run.
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

/// A measured value and its limits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    pub value: f64,
    /// `s`, `%`, or nothing for a count.
    pub unit: &'static str,
    pub warning: Option<f64>,
    pub critical: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The name of the check. It must never change: it is part of the key of incidents.
    pub check: &'static str,
    pub severity: Severity,
    /// One sentence without a full stop.
    pub summary: String,
    pub measure: Option<Measure>,
    /// What helps to find the cause, such as the jobs concerned.
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
        // Only maps with keys that are not text cannot be written as JSON.
        Self { details: serde_json::to_value(details).unwrap_or_default(), ..self }
    }
}

/// A duration for people, in its two largest units.
pub fn span(seconds: f64) -> String {
    let whole = std::time::Duration::from_secs_f64(seconds.clamp(0.0, 1e10).floor());
    humantime::format_duration(whole).to_string().split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_is_worse_than_unknown_and_unknown_worse_than_a_warning() {
        let mut all = [Severity::Unknown, Severity::Ok, Severity::Critical, Severity::Skipped, Severity::Warning];
        all.sort();
        assert_eq!(all.map(Severity::word), ["SKIPPED", "OK", "WARNING", "UNKNOWN", "CRITICAL"]);
        assert_eq!(all.map(Severity::exit_code), [0, 0, 1, 3, 2]);
    }

    #[test]
    fn a_span_has_two_units() {
        assert_eq!([0.4, 75.9, 1320.0, 93_784.0].map(span), ["0s", "1m 15s", "22m", "1day 2h"]);
    }
}
