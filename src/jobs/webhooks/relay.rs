//! Passing on what happened: from the outbox to the webhooks that receive it.

use std::collections::HashMap;

use chrono::{SecondsFormat, Utc};
use diesel::{Connection, PgConnection};
use serde_json::{Value, json};

use super::deliver::DeliverWebhook;
use crate::database::webhooks::deliveries;
use crate::database::webhooks::endpoints::{self, Candidate};
use crate::database::webhooks::outbox::{self, Entry};
use crate::fault::{self, Fault};
use crate::package::CrateName;
use crate::queue::{EnqueueError, Job};
use crate::webhook::event_type::{DIFFERENCES, EventType, JOB_DEAD};

/// Entries that one transaction passes on.
const PORTION: i32 = 100;

/// Why nothing was passed on.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Passes on what has settled, unless another process does; returns the number of events that have a webhook. `registry` is the
/// URL by which receivers know this registry.
pub fn run(
    connection: &mut PgConnection,
    registry: Option<&str>,
    is_stopped: &dyn Fn() -> bool,
) -> Result<usize, RelayError> {
    let mut events = 0;
    while !is_stopped() {
        let (looked_at, sent) = portion(connection, registry)?;
        events += sent;
        if looked_at < PORTION.unsigned_abs() as usize {
            break;
        }
    }
    Ok(events)
}

fn portion(connection: &mut PgConnection, registry: Option<&str>) -> Result<(usize, usize), RelayError> {
    connection.transaction(|connection| {
        if !outbox::try_lock(connection)? {
            return Ok((0, 0));
        }
        let entries = outbox::settled(connection, PORTION)?;
        if entries.is_empty() {
            return Ok((0, 0));
        }
        let mut sent = Vec::new();
        for entry in &entries {
            let Some(event) = Event::of(entry) else { continue };
            let receivers: Vec<i32> = event.candidates(connection)?;
            if !receivers.is_empty() {
                sent.push((event, receivers));
            }
        }
        let mut everyone: Vec<i32> = sent.iter().flat_map(|(_, receivers)| receivers).copied().collect();
        everyone.sort_unstable();
        everyone.dedup();
        let active: HashMap<i32, i32> = endpoints::lock(connection, &everyone)?.into_iter().collect();
        for (event, receivers) in &sent {
            let number = deliveries::add_event(connection, &event.kind, &event.body(registry))?;
            for &webhook_id in receivers {
                let delivery_id = deliveries::add(connection, webhook_id, number)?;
                if let Some(&generation) = active.get(&webhook_id) {
                    DeliverWebhook { webhook_id, delivery_id, generation }.enqueue(connection)?;
                }
            }
        }
        fault::point("webhook.before_relay_commit")?;
        outbox::remove(connection, &entries.iter().map(|entry| entry.id).collect::<Vec<_>>())?;
        Ok((entries.len(), sent.len()))
    })
}

/// What receivers get.
struct Event<'a> {
    kind: EventType,
    at: String,
    data: Value,
    krate: Option<CrateName>,
    team: Option<&'a str>,
}

impl<'a> Event<'a> {
    /// The event that an entry of the outbox is; None if there is none for it.
    fn of(entry: &'a Entry) -> Option<Self> {
        let row = &entry.entry;
        // Stored by PostgreSQL, with its own precision.
        let at = entry.at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let event = |kind, data| Self { kind, at: at.clone(), data, krate: None, team: None };
        match &*entry.source {
            // Its own trouble would cause more of it.
            "dead-job" if row["kind"] == DeliverWebhook::KIND => None,
            "dead-job" => Some(event(
                JOB_DEAD,
                json!({ "job": row["id"], "kind": row["kind"], "key": row["key"], "attempts": row["attempts"], "error": row["last_error"] }),
            )),
            "verification" => Some(event(
                DIFFERENCES,
                json!({ "report": row["id"], "mode": row["mode"], "differences": row["differences"], "requested_by": row["requested_by"] }),
            )),
            _ => {
                let kind = EventType::of_action(row["action"].as_str()?)?;
                let data = json!({
                    "crate": row["crate_name"], "version": row["version"], "subject": row["subject"], "by": row["actor"],
                    "detail": row["detail"],
                });
                let krate = row["crate_name"].as_str().and_then(|name| name.parse().ok());
                let team = row["subject"].as_str().filter(|_| kind.name.starts_with("team."));
                Some(Self { krate, team, ..event(kind, data) })
            }
        }
    }

    /// What is sent.
    fn body(&self, registry: Option<&str>) -> String {
        let mut data = self.data.clone();
        data["registry"] = registry.into();
        json!({ "type": self.kind.name, "timestamp": self.at, "data": data }).to_string()
    }

    /// The webhooks that receive it, in the order of their numbers.
    fn candidates(&self, connection: &mut PgConnection) -> diesel::QueryResult<Vec<i32>> {
        let mut found: Vec<Candidate> = match (&self.krate, self.team) {
            (Some(name), _) => endpoints::of_crate(connection, name)?,
            (None, Some(team)) => endpoints::of_team(connection, team)?,
            (None, None) => endpoints::of_everything(connection)?,
        };
        if let (Some(name), "crate.deleted") = (&self.krate, self.kind.name) {
            found.extend(endpoints::of_deleted(connection, name)?);
        }
        found.retain(|(_, patterns)| patterns.0.iter().any(|pattern| pattern.matches(&self.kind)));
        let mut ids: Vec<i32> = found.into_iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        Ok(ids)
    }
}

/// The body of a test.
pub(super) fn test_body(registry: Option<&str>, by: &str) -> String {
    let at = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({ "type": crate::webhook::event_type::TEST.name, "timestamp": at, "data": { "by": by, "registry": registry } }).to_string()
}
