//! Delivery of events to receivers: in order, and repeated until the receiver accepts the event.

mod pagerduty;
mod receiver;
mod secret;
mod webhook;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::error::MonitorError;
use super::event::Event;
use super::http::Http;
use super::state::{Outbox, StateFile};
use crate::config::MonitorOptions;
use crate::error_chain::ErrorChain;
use crate::queue::Backoff;
use crate::redact;
use crate::webhook::{InvalidSecret, SECRET_FORMAT, Secret};
use pagerduty::PagerDuty;
use receiver::Receiver;
use secret::SecretFile;
use webhook::Webhook;

pub use receiver::DeliveryError;

/// The pause before the next attempt, doubled with each failure.
const RETRY: Backoff = Backoff { base: Duration::from_secs(2), cap: Duration::from_secs(5 * 60) };

/// All configured receivers.
pub struct Receivers {
    http: Http,
    receivers: Vec<Box<dyn Receiver>>,
}

impl Receivers {
    pub fn of(options: &MonitorOptions, http: Http) -> Result<Self, MonitorError> {
        let mut receivers: Vec<Box<dyn Receiver>> = Vec::new();
        let pages = &options.pages;
        if let Some(file) = &pages.pagerduty_key_file {
            let file = SecretFile { path: file, flag: "--pagerduty-key-file", what: "integration key" };
            let key = file.read()?;
            let client_url = options.limits.url.as_deref().map(redact::userinfo);
            receivers.push(Box::new(PagerDuty::new(key, pages.pagerduty_url.clone(), client_url)));
        }
        if let (Some(url), Some(file)) = (&pages.webhook_url, &pages.webhook_secret_file) {
            let file = SecretFile { path: file, flag: "--webhook-secret-file", what: "secret" };
            let secret = Secret::parse(&file.read()?).map_err(|InvalidSecret| file.invalid(SECRET_FORMAT))?;
            receivers.push(Box::new(Webhook::new(url.clone(), secret)));
        }
        Ok(Self { http, receivers })
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.receivers.iter().map(|receiver| receiver.name()).collect()
    }

    /// Sends the events that are due. An accepted event is removed from the file on the disk before the next one is sent. A
    /// receiver that fails does not delay the others. Events of receivers that are no longer configured are dropped.
    pub fn deliver(&self, file: &mut StateFile) {
        let names = self.names();
        file.state.receivers.retain(|name, _| names.contains(&name.as_str()));
        for receiver in &self.receivers {
            while self.deliver_next(&**receiver, file) {}
        }
    }

    /// Sends the oldest event of a receiver, if it is due. The result is whether it was accepted.
    fn deliver_next(&self, receiver: &dyn Receiver, file: &mut StateFile) -> bool {
        let name = receiver.name();
        let outbox = file.state.receivers.entry(name.to_owned()).or_default();
        let Some(event) = outbox.events.front().filter(|_| outbox.retry_at.is_none_or(|at| at <= Utc::now())) else {
            return false;
        };
        let (action, check) = (event.action.word(), event.check.clone());
        let accepted = match receiver.send(&self.http, event) {
            Ok(()) => {
                tracing::info!(receiver = name, action, check, "paged");
                outbox.events.pop_front();
                *outbox = Outbox { events: std::mem::take(&mut outbox.events), ..Outbox::default() };
                true
            }
            Err(error) => {
                let error = ErrorChain::of(&error).to_string();
                outbox.failures = outbox.failures.saturating_add(1);
                let wait = RETRY.delay(outbox.failures);
                tracing::error!(receiver = name, action, check, error, "cannot send the page: retrying in {wait:?}");
                outbox.retry_at = chrono::Duration::from_std(wait).ok().map(|wait| Utc::now() + wait);
                outbox.last_error = Some(error);
                false
            }
        };
        file.keep();
        accepted
    }

    /// Sends one event to every receiver at once, ahead of waiting ones. The results are by receiver.
    pub fn send_to_all(&self, event: &Event) -> Vec<(&'static str, Result<(), DeliveryError>)> {
        self.receivers.iter().map(|receiver| (receiver.name(), receiver.send(&self.http, event))).collect()
    }
}

/// When the next waiting event is due; None if there is none.
pub fn next_retry(file: &StateFile) -> Option<DateTime<Utc>> {
    let waiting = file.state.receivers.values().filter(|outbox| !outbox.events.is_empty());
    waiting.map(|outbox| outbox.retry_at.unwrap_or_else(Utc::now)).min()
}

/// The open incidents and waiting events, for scripts.
pub fn describe(file: &StateFile) -> Value {
    let open: Vec<Value> = file
        .state
        .checks
        .iter()
        .filter_map(|(check, state)| Some(json!({ "check": check, "since": state.incident.as_ref()?.since })))
        .collect();
    let receivers: Vec<Value> = file
        .state
        .receivers
        .iter()
        .map(|(name, outbox)| json!({ "receiver": name, "waiting": outbox.events.len(), "error": outbox.last_error }))
        .collect();
    json!({ "incidents": open, "receivers": receivers })
}
