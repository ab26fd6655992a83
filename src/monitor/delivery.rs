//! From events to receivers: in order, and each until it is taken.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::MonitorError;
use super::http::{Answer, Http};
use super::incidents::Event;
use super::pagerduty::PagerDuty;
use super::state::{Outbox, StateFile};
use super::webhook::Webhook;
use crate::config::MonitorOptions;
use crate::error_chain::ErrorChain;
use crate::queue::Backoff;
use crate::redact;

/// How long after a failure the next attempt is made: doubled each time.
const RETRY: Backoff = Backoff { base: Duration::from_secs(2), cap: Duration::from_secs(5 * 60) };
/// Characters of an answer that are told.
const TOLD: usize = 200;

/// Somebody who is told.
pub(super) trait Receiver: Send {
    /// Names it in the state file.
    fn name(&self) -> &'static str;
    /// Tells it of one event. Whatever is no success is tried again.
    fn send(&self, http: &Http, event: &Event) -> Result<(), DeliveryError>;
}

/// An event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("no answer: {0}")]
    NoAnswer(#[source] Box<ureq::Error>),
    #[error("the answer was {status}: {text}")]
    Refused { status: u16, text: String },
    #[error("the event can't be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl From<ureq::Error> for DeliveryError {
    fn from(error: ureq::Error) -> Self {
        Self::NoAnswer(Box::new(error))
    }
}

/// Whether it was taken.
pub(super) fn accepted(answer: Answer) -> Result<(), DeliveryError> {
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let text = answer.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TOLD).collect();
    Err(DeliveryError::Refused { status: answer.status, text })
}

/// All who are told.
pub struct Receivers {
    http: Http,
    receivers: Vec<Box<dyn Receiver>>,
}

impl Receivers {
    pub fn of(options: &MonitorOptions, http: Http) -> Result<Self, MonitorError> {
        let mut receivers: Vec<Box<dyn Receiver>> = Vec::new();
        let pages = &options.pages;
        if let Some(file) = &pages.pagerduty_key_file {
            let key = secret(file, "--pagerduty-key-file", "integration key", 1)?;
            let client_url = options.limits.url.as_deref().map(redact::userinfo);
            receivers.push(Box::new(PagerDuty::new(key, pages.pagerduty_url.clone(), client_url)));
        }
        if let (Some(url), Some(file)) = (&pages.webhook_url, &pages.webhook_secret_file) {
            let secret = secret(file, "--webhook-secret-file", "secret", 16)?;
            receivers.push(Box::new(Webhook::new(url.clone(), secret)));
        }
        Ok(Self { http, receivers })
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.receivers.iter().map(|receiver| receiver.name()).collect()
    }

    /// Sends what is due. Each event that was taken is struck out on the disk before the next one is sent. A receiver that
    /// fails keeps no other one waiting. What is left for receivers that are no longer configured is dropped.
    pub fn deliver(&self, file: &mut StateFile) {
        let names = self.names();
        file.state.receivers.retain(|name, _| names.contains(&name.as_str()));
        for receiver in &self.receivers {
            while self.deliver_next(&**receiver, file) {}
        }
    }

    /// Sends the oldest event of a receiver, if it is due; true if it was taken.
    fn deliver_next(&self, receiver: &dyn Receiver, file: &mut StateFile) -> bool {
        let name = receiver.name();
        let outbox = file.state.receivers.entry(name.to_owned()).or_default();
        let Some(event) = outbox.events.front().filter(|_| outbox.retry_at.is_none_or(|at| at <= Utc::now())) else {
            return false;
        };
        let (action, check) = (event.action.word(), event.check.clone());
        let taken = match receiver.send(&self.http, event) {
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
                tracing::error!(receiver = name, action, check, error, "could not page; trying again in {wait:?}");
                outbox.retry_at = chrono::Duration::from_std(wait).ok().map(|wait| Utc::now() + wait);
                outbox.last_error = Some(error);
                false
            }
        };
        file.keep();
        taken
    }

    /// Sends one event by every receiver, whatever waits; what became of it, by receiver.
    pub fn send_to_all(&self, event: &Event) -> Vec<(&'static str, Result<(), DeliveryError>)> {
        self.receivers.iter().map(|receiver| (receiver.name(), receiver.send(&self.http, event))).collect()
    }
}

/// When the next event that waits is due; None if none waits.
pub fn next_retry(file: &StateFile) -> Option<DateTime<Utc>> {
    let waiting = file.state.receivers.values().filter(|outbox| !outbox.events.is_empty());
    waiting.map(|outbox| outbox.retry_at.unwrap_or_else(Utc::now)).min()
}

/// How it stands with the pages, for scripts.
pub fn describe(file: &StateFile) -> Value {
    let open: Vec<Value> = file
        .state
        .courses
        .iter()
        .filter_map(|(check, course)| Some(json!({ "check": check, "since": course.incident.as_ref()?.since })))
        .collect();
    let receivers: Vec<Value> = file
        .state
        .receivers
        .iter()
        .map(|(name, outbox)| json!({ "receiver": name, "waiting": outbox.events.len(), "error": outbox.last_error }))
        .collect();
    json!({ "incidents": open, "receivers": receivers })
}

/// The content of a file that holds a secret, without the line break that editors put at its end.
fn secret(path: &Path, flag: &'static str, what: &'static str, at_least: usize) -> Result<String, MonitorError> {
    let unusable = |problem| MonitorError::NoSecret { flag, path: path.display().to_string(), what, problem };
    let text = std::fs::read_to_string(path).map_err(|source| MonitorError::Secret {
        flag,
        path: path.display().to_string(),
        source,
    })?;
    let text = text.trim();
    if text.is_empty() {
        return Err(unusable("it is empty"));
    }
    if text.len() < at_least {
        return Err(unusable("it is shorter than 16 bytes, which can be guessed"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unusable("it has to be one word of ASCII characters"));
    }
    Ok(text.to_owned())
}
