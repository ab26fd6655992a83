//! An event: what an entry of the outbox tells webhooks and recipients of mail.

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::PgConnection;
use serde_json::{Value, json};

use super::deliver::DeliverWebhook;
use crate::database::access::teams::PREFIX;
use crate::database::webhooks::endpoints::{self, Candidate};
use crate::database::webhooks::outbox::Entry;
use crate::jobs::email::send_notices::SendNotices;
use crate::jobs::email::send_to_address::SendToAddress;
use crate::package::CrateName;
use crate::queue::Job;
use crate::webhook::event_type::{DIFFERENCES, EventType, JOB_DEAD, TEST};

/// Jobs whose trouble would cause more of it.
const OWN: [&str; 3] = [DeliverWebhook::KIND, SendNotices::KIND, SendToAddress::KIND];

const NONE: &Value = &Value::Null;

/// What receivers get.
pub struct Event<'a> {
    pub kind: EventType,
    pub at: DateTime<Utc>,
    pub data: Value,
    pub krate: Option<CrateName>,
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
    pub(super) fn of(entry: &'a Entry) -> Option<Self> {
        let row = &entry.entry;
        let event = |kind, data| Self { kind, at: entry.at, data, krate: None, teams: Vec::new() };
        match &*entry.source {
            "dead-job" if OWN.iter().any(|own| row["kind"] == *own) => None,
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
    pub(super) fn body(&self, registry: Option<&str>) -> String {
        body(&self.kind, self.at, &self.data, registry)
    }

    /// The webhooks that receive it, in the order of their numbers.
    pub(super) fn candidates(&self, connection: &mut PgConnection) -> diesel::QueryResult<Vec<i32>> {
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
