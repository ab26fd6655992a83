//! The events that are sent to receivers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::checks::finding::Severity;

/// The start or the end of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub action: Action,
    /// The key of the incident: the name of the installation and the check.
    pub key: String,
    /// The name of the installation.
    pub source: String,
    pub check: String,
    pub severity: Severity,
    pub summary: String,
    pub details: Value,
    /// When the incident started.
    pub since: DateTime<Utc>,
    /// When the event happened.
    pub at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Trigger,
    Resolve,
}

impl Action {
    pub fn word(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Resolve => "resolve",
        }
    }
}

impl Event {
    /// An id that is unique, and the same each time the event is sent. It is a hash because the name of an installation can
    /// have characters that a header, or the signed text of a webhook, may not have.
    pub fn id(&self) -> String {
        let text = format!("{}/{}/{}", self.key, self.since.timestamp_millis(), self.action.word());
        let digits = Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("evt_{digits}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_incident_and_action_and_are_plain_ascii() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let trigger = Event {
            action: Action::Trigger,
            key: "crätes.example/disk_bytes".to_owned(),
            source: String::new(),
            check: String::new(),
            severity: Severity::Critical,
            summary: String::new(),
            details: Value::Null,
            since: at,
            at,
        };
        let resolve = Event { action: Action::Resolve, ..trigger.clone() };
        let next = Event { since: at + chrono::Duration::seconds(1), ..trigger.clone() };
        let later = Event { at: at + chrono::Duration::seconds(1), ..trigger.clone() };
        assert_eq!(trigger.id(), later.id());
        assert!(trigger.id() != resolve.id() && trigger.id() != next.id());
        assert!(trigger.id().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{}", trigger.id());
    }
}
