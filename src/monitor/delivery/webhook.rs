//! A webhook in the format of Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>), with a symmetric signature.

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use super::receiver::{DeliveryError, Receiver, check_status};
use crate::monitor::event::{Action, Event};
use crate::monitor::http::Http;
use crate::webhook::Secret;

pub struct Webhook {
    url: String,
    secret: Secret,
}

impl Webhook {
    pub fn new(url: String, secret: Secret) -> Self {
        Self { url, secret }
    }
}

impl Receiver for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn send(&self, http: &Http, event: &Event) -> Result<(), DeliveryError> {
        let (id, timestamp) = (event.id(), Utc::now().timestamp().to_string());
        let body = serde_json::to_string(&body(event))?;
        let headers = [
            ("webhook-signature", self.secret.sign(&id, &timestamp, &body)),
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
        ];
        check_status(http.post_json(&self.url, &headers, &body)?)
    }
}

fn body(event: &Event) -> Value {
    let kind = match event.action {
        Action::Trigger => "incident.triggered",
        Action::Resolve => "incident.resolved",
    };
    let Event { key, source, check, severity, summary, details, since, at, .. } = event;
    let time = |time: &chrono::DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({
        "type": kind,
        "timestamp": time(at),
        "data": {
            "key": key, "source": source, "check": check, "severity": severity, "summary": summary,
            "details": details, "since": time(since),
        },
    })
}
