//! PagerDuty's Events API v2.
//!
//! Source: "Events API v2 Overview" and "Send an Alert Event" of PagerDuty's developer documentation.

use serde_json::{Value, json};

use super::receiver::{DeliveryError, Receiver, check_status};
use crate::checks::finding::Severity;
use crate::monitor::event::{Action, Event};
use crate::monitor::http::Http;

/// The longest summary, in characters.
const MAX_SUMMARY: usize = 1024;

pub struct PagerDuty {
    routing_key: String,
    url: String,
    /// The link in a page.
    client_url: Option<String>,
}

impl PagerDuty {
    pub fn new(routing_key: String, url: String, client_url: Option<String>) -> Self {
        Self { routing_key, url, client_url }
    }

    fn body(&self, event: &Event) -> Value {
        let mut body = json!({
            "routing_key": self.routing_key,
            "event_action": event.action.word(),
            "dedup_key": event.key,
        });
        if event.action == Action::Trigger {
            let summary = format!("{}: {}", event.source, event.summary);
            body["payload"] = json!({
                "summary": summary.chars().take(MAX_SUMMARY).collect::<String>(),
                "source": event.source,
                "severity": severity(event.severity),
                "component": event.check,
                "class": event.check,
                "group": "supercargo",
                "timestamp": event.at.to_rfc3339(),
                "custom_details": { "check": event.check, "version": env!("CARGO_PKG_VERSION"), "found": event.details },
            });
            body["client"] = json!("supercargo");
            if let Some(url) = &self.client_url {
                body["client_url"] = json!(url);
            }
        }
        body
    }
}

impl Receiver for PagerDuty {
    fn name(&self) -> &'static str {
        "pagerduty"
    }

    fn send(&self, http: &Http, event: &Event) -> Result<(), DeliveryError> {
        check_status(http.post_json(&self.url, &[], &serde_json::to_string(&self.body(event))?)?)
    }
}

/// PagerDuty has critical, error, warning and info.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Unknown => "error",
        Severity::Warning => "warning",
        Severity::Ok | Severity::Skipped => "info",
    }
}
