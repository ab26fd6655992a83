//! Delivering an event to a webhook: in order, and repeated until the webhook accepts it.

use chrono::Utc;
use diesel::{PgConnection, QueryResult};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::record::record;
use crate::database::access::audit::{Action, Actor};
use crate::database::webhooks::deliveries::{self, Message};
use crate::database::webhooks::endpoints;
use crate::fault;
use crate::jobs::Environment;
use crate::jobs::patience::{ATTEMPTS, BACKOFF};
use crate::queue::{Duplicates, Enqueue, EnqueueError, Job, JobError, Order, Outcome, Perform, Policy, Run};
use crate::upstream::guarded::{Answer, NoAnswer};

/// The first event that waits for a webhook is to be delivered.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverWebhook {
    pub webhook_id: i32,
}

impl Job for DeliverWebhook {
    const KIND: &'static str = deliveries::KIND;
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
        Some(deliveries::key(self.webhook_id))
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
        let Some(message) = run.with_connection(|connection| deliveries::first(connection, self.webhook_id))? else {
            return Ok(detail("nothing waits, or the webhook was removed"));
        };
        if message.is_paused {
            return Ok(detail("the webhook is paused: its events wait"));
        }
        let problem = match send(environment, &message) {
            Ok(answer) => {
                fault::point("webhook.answered")?;
                let took = i32::try_from(answer.took.as_millis()).unwrap_or(i32::MAX);
                run.with_connection(|connection| self.note(connection, message.delivery, (answer.status, took)))?;
                return Ok(detail(format!("{}: {} after {took} ms", message.id, answer.status)));
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
        let url = &message.url;
        if !run.with_connection(|connection| self.pause(connection, url, &reason))? {
            return Err(problem.into());
        }
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
    let (id, timestamp) = (message.id.clone(), Utc::now().timestamp().to_string());
    let signatures: Vec<String> =
        message.secrets.iter().map(|secret| secret.sign(&id, &timestamp, &message.body)).collect();
    let headers = [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signatures.join(" "))];
    let answer = environment.webhooks.post_json(&message.url, &headers, &message.body)?;
    if (200..300).contains(&answer.status) { Ok(answer) } else { Err(NotAccepted::Status(answer)) }
}

impl DeliverWebhook {
    /// Enqueues a job for a webhook, whose row is locked.
    pub(super) fn enqueue(self, connection: &mut PgConnection) -> Result<(), EnqueueError> {
        // As many requesters as webhooks: one that takes its time does not hold the others up.
        Enqueue::new(&self).requested_by(&deliveries::key(self.webhook_id)).insert(connection).map(drop)
    }

    /// Notes that an event was accepted, and enqueues the job for the next one.
    fn note(
        self,
        connection: &mut PgConnection,
        delivery: i64,
        (status, took): (u16, i32),
    ) -> Result<(), EnqueueError> {
        let is_active = !endpoints::lock(connection, &[self.webhook_id])?.is_empty();
        deliveries::note_delivered(connection, delivery, status, took)?;
        if is_active && deliveries::first(connection, self.webhook_id)?.is_some() {
            self.enqueue(connection)?;
        }
        Ok(())
    }

    /// Pauses the webhook, unless it has moved meanwhile; false then.
    fn pause(self, connection: &mut PgConnection, url: &str, reason: &str) -> QueryResult<bool> {
        endpoints::lock(connection, &[self.webhook_id])?;
        let Some(webhook) = endpoints::find(connection, self.webhook_id)?.filter(|webhook| webhook.url == url) else {
            return Ok(false);
        };
        let reason: String = reason.chars().take(500).collect();
        if endpoints::pause(connection, self.webhook_id, None, Some(&reason))? {
            record(connection, (Action::WebhookPause, &webhook), json!({ "reason": reason }), &Actor::registry())?;
        }
        Ok(true)
    }
}
