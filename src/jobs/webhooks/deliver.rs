//! Delivering an event to a webhook: in order, and repeated until the webhook accepts it.

use std::time::Duration;

use chrono::Utc;
use diesel::{PgConnection, QueryResult};
use serde::{Deserialize, Serialize};

use crate::database::webhooks::deliveries::{self, Message};
use crate::database::webhooks::endpoints;
use crate::fault;
use crate::jobs::Environment;
use crate::queue::{Backoff, Duplicates, Enqueue, EnqueueError, Job, JobError, Order, Outcome, Perform, Policy, Run};
use crate::upstream::guarded::{Answer, NoAnswer};

/// Attempts after which a webhook is paused. With the waits below these are about three days.
pub const ATTEMPTS: u32 = 80;
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(60 * 60) };

/// An event is to be delivered to a webhook.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverWebhook {
    pub webhook_id: i32,
    pub delivery_id: i64,
    pub generation: i32,
}

impl Job for DeliverWebhook {
    const KIND: &'static str = "deliver_webhook";
    /// It ends itself before its attempts are over, unless it crashes the process each time.
    const POLICY: Policy = Policy {
        max_attempts: 2 * ATTEMPTS,
        backoff: BACKOFF,
        order: Order::ByKey,
        duplicates: Duplicates::Keep,
        is_of_others: true,
        ..Policy::in_queue("webhooks")
    };

    fn key(&self) -> Option<String> {
        Some(key(self.webhook_id))
    }
}

/// The webhook has not accepted the event.
#[derive(Debug, thiserror::Error)]
enum NotAccepted {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("the answer was {}{}, after {took:.1?}{said}", .0.status, hint(.0.status), took = .0.took, said = said(&.0.text))]
    Status(Answer),
}

fn hint(status: u16) -> &'static str {
    match status {
        300..=399 => " (redirects are not followed)",
        410 => " Gone",
        _ => "",
    }
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl Perform<Environment> for DeliverWebhook {
    fn perform(self, environment: &Environment, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        let Some(message) = run.with_connection(|connection| deliveries::message(connection, self.delivery_id))? else {
            return Ok(detail("nothing to deliver: it is delivered, or the webhook was removed"));
        };
        if message.is_paused {
            return Ok(detail("the webhook is paused: the event waits"));
        }
        if message.generation != self.generation {
            return Ok(detail("the webhook was paused meanwhile: another job delivers the event"));
        }
        let problem = match send(environment, &message) {
            Ok(answer) => {
                fault::point("webhook.answered")?;
                let took = i32::try_from(answer.took.as_millis()).unwrap_or(i32::MAX);
                run.with_connection(|connection| {
                    deliveries::note_delivered(connection, self.delivery_id, answer.status, took)
                })?;
                return Ok(detail(format!("{} after {took} ms", answer.status)));
            }
            Err(problem) => problem,
        };
        let reason = match &problem {
            // By the specification it wants no more.
            NotAccepted::Status(Answer { status: 410, .. }) => "the receiver has answered 410 Gone".to_owned(),
            _ if run.attempt() >= ATTEMPTS => {
                format!("{} attempts have failed, the last one: {problem}", run.attempt())
            }
            _ => return Err(problem.into()),
        };
        run.with_connection(|connection| self.pause(connection, &reason))?;
        tracing::warn!(
            webhook = self.webhook_id,
            reason,
            "a webhook is paused, and its events wait: see that it accepts them, and resume it"
        );
        Ok(detail(format!("the webhook is paused: {reason}")))
    }
}

fn detail(text: impl Into<String>) -> Outcome {
    Outcome { detail: Some(text.into()) }
}

fn send(environment: &Environment, message: &Message) -> Result<Answer, NotAccepted> {
    let (id, timestamp) = (format!("evt_{}", message.event), Utc::now().timestamp().to_string());
    let signatures: Vec<String> =
        message.secrets.iter().map(|secret| secret.sign(&id, &timestamp, &message.body)).collect();
    let headers = [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signatures.join(" "))];
    let answer = environment.webhooks.post_json(&message.url, &headers, &message.body)?;
    if (200..300).contains(&answer.status) { Ok(answer) } else { Err(NotAccepted::Status(answer)) }
}

impl DeliverWebhook {
    /// Enqueues a delivery.
    pub(super) fn enqueue(self, connection: &mut PgConnection) -> Result<(), EnqueueError> {
        let job = Enqueue::new(&self).insert(connection)?;
        Ok(deliveries::set_job(connection, self.delivery_id, job)?)
    }

    fn pause(self, connection: &mut PgConnection, reason: &str) -> QueryResult<()> {
        endpoints::lock(connection, &[self.webhook_id])?;
        let reason: String = reason.chars().take(500).collect();
        endpoints::pause(connection, self.webhook_id, None, Some(&reason)).map(drop)
    }
}

/// What the jobs of a webhook have as their key.
pub fn key(webhook: i32) -> String {
    format!("webhook {webhook}")
}
