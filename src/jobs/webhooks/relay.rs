//! Passing on what happened: from the outbox to the webhooks that receive it.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::{Connection, PgConnection};
use serde_json::{Value, json};

use super::deliver::DeliverWebhook;
use crate::database::access::teams::PREFIX;
use crate::database::webhooks::deliveries;
use crate::database::webhooks::endpoints::{self, Candidate};
use crate::database::webhooks::outbox::{self, Entry};
use crate::fault::{self, Fault};
use crate::package::CrateName;
use crate::queue::{EnqueueError, Job};
use crate::webhook::event_type::{DIFFERENCES, EventType, JOB_DEAD, TEST};

/// Entries that one transaction passes on.
const PORTION: i32 = 100;

const NONE: &Value = &Value::Null;

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

/// Enqueues the jobs of webhooks that have none although something waits.
pub fn mend(connection: &mut PgConnection) -> Result<(), RelayError> {
    connection.transaction(|connection| {
        let left = deliveries::without_job(connection)?;
        endpoints::lock(connection, &left)?;
        // Under the locks: a job may have ended, and enqueued the next one, meanwhile.
        for webhook_id in deliveries::without_job(connection)?.into_iter().filter(|webhook| left.contains(webhook)) {
            tracing::warn!(
                webhook = webhook_id,
                "events waited for a webhook without a job, which was discarded: enqueued one"
            );
            DeliverWebhook { webhook_id }.enqueue(connection)?;
        }
        Ok(())
    })
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
        let active: HashSet<i32> = endpoints::lock(connection, &everyone)?.into_iter().collect();
        let mut idle = BTreeSet::new();
        for (event, receivers) in &sent {
            let number = deliveries::add_event(connection, &event.kind, &event.body(registry), event.at)?;
            idle.extend(deliveries::add(connection, receivers, number)?);
        }
        for webhook_id in idle.into_iter().filter(|webhook| active.contains(webhook)) {
            DeliverWebhook { webhook_id }.enqueue(connection)?;
        }
        fault::point("webhook.before_relay_commit")?;
        outbox::remove(connection, &entries.iter().map(|entry| entry.id).collect::<Vec<_>>())?;
        Ok((entries.len(), sent.len()))
    })
}

/// What receivers get.
struct Event<'a> {
    kind: EventType,
    at: DateTime<Utc>,
    data: Value,
    krate: Option<CrateName>,
    /// Teams that it names.
    teams: Vec<&'a str>,
}

/// The fields that every event has, apart from that of the registry.
fn data(about: (&Value, &Value, &Value), by: &Value, detail: Value) -> Value {
    let (krate, version, subject) = about;
    json!({ "crate": krate, "version": version, "subject": subject, "by": by, "detail": detail })
}

impl<'a> Event<'a> {
    /// The event that an entry of the outbox is; None if there is none for it.
    fn of(entry: &'a Entry) -> Option<Self> {
        let row = &entry.entry;
        let event = |kind, data| Self { kind, at: entry.at, data, krate: None, teams: Vec::new() };
        match &*entry.source {
            // Its own trouble would cause more of it.
            "dead-job" if row["kind"] == DeliverWebhook::KIND => None,
            "dead-job" => {
                let detail = json!({
                    "job": row["id"], "kind": row["kind"], "attempts": row["attempts"], "error": row["last_error"],
                });
                Some(event(JOB_DEAD, data((NONE, NONE, &row["key"]), NONE, detail)))
            }
            "verification" => {
                let detail = json!({ "report": row["id"], "mode": row["mode"], "differences": row["differences"] });
                Some(event(DIFFERENCES, data((NONE, NONE, NONE), &row["requested_by"], detail)))
            }
            _ => {
                let kind = EventType::of_action(row["action"].as_str()?)?;
                let about = (&row["crate_name"], &row["version"], &row["subject"]);
                let sent = event(kind, data(about, &row["actor"], row["detail"].clone()));
                let krate = row["crate_name"].as_str().and_then(|name| name.parse().ok());
                Some(Self { krate, teams: named_teams(&kind, row), ..sent })
            }
        }
    }

    /// What is sent.
    fn body(&self, registry: Option<&str>) -> String {
        body(&self.kind, self.at, &self.data, registry)
    }

    /// The webhooks that receive it, in the order of their numbers.
    fn candidates(&self, connection: &mut PgConnection) -> diesel::QueryResult<Vec<i32>> {
        let mut found: Vec<Candidate> = match (&self.krate, &self.teams[..]) {
            (Some(name), teams) => endpoints::of_crate(connection, name, teams)?,
            (None, [team, ..]) => endpoints::of_team(connection, team)?,
            (None, []) => endpoints::of_everything(connection)?,
        };
        if let (Some(name), "crate.deleted") = (&self.krate, self.kind.name) {
            found.extend(endpoints::of_deleted(connection, name)?);
        }
        found.retain(|(_, patterns)| patterns.0.iter().any(|pattern| pattern.matches(&self.kind)));
        let mut ids: Vec<i32> = found.into_iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}

/// The teams that an entry of the audit log is about, which may not own its crate any longer.
fn named_teams<'a>(kind: &EventType, row: &'a Value) -> Vec<&'a str> {
    let as_owner = |owner: &'a Value| owner.as_str()?.strip_prefix(PREFIX);
    match kind.group() {
        "team" => row["subject"].as_str().into_iter().collect(),
        "owner" => as_owner(&row["subject"]).into_iter().collect(),
        // Its owners when it was deleted.
        _ => row["detail"]["owners"].as_array().into_iter().flatten().filter_map(as_owner).collect(),
    }
}

fn body(kind: &EventType, at: DateTime<Utc>, data: &Value, registry: Option<&str>) -> String {
    let mut data = data.clone();
    data["registry"] = registry.into();
    let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({ "type": kind.name, "timestamp": at, "data": data }).to_string()
}

/// The body of a test.
pub(super) fn test_body(registry: Option<&str>, by: &str, at: DateTime<Utc>) -> String {
    body(&TEST, at, &data((NONE, NONE, NONE), &by.into(), json!({})), registry)
}
