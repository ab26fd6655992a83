//! Whom an event concerns, and notices for those who want mail of it.

use std::collections::BTreeSet;
use std::time::Duration;

use diesel::PgConnection;
use serde_json::Value;

use super::send_notices::SendNotices;
use crate::database::access::teams::PREFIX;
use crate::database::email::notices;
use crate::database::email::recipients::{self, Concerned};
use crate::jobs::webhooks::event::Event;
use crate::queue::EnqueueError;
use crate::webhook::event_type::EventType;

/// How long a mail waits for further changes, which it then has as well: those of a workspace come one after the other.
const GATHERING: Duration = Duration::from_secs(20);

/// The groups of event types of which there is mail, and what users read of them.
pub const GROUPS: [(&str, &str); 9] = [
    ("version", "versions of your crates: published, staged, yanked, deleted"),
    ("crate", "your crates: deleted"),
    ("owner", "owners of your crates: added, removed, invited; and your own invitations"),
    ("trusted_publisher", "trusted publishers of your crates: added, removed, required"),
    ("token", "your tokens: created, revoked"),
    ("user", "your user: disabled, enabled, made an admin or no longer one"),
    ("team", "your teams: you were added or removed"),
    ("job", "dead jobs of the registry (admins)"),
    ("verification", "differences that a verification has found (admins)"),
];

/// Whether there is mail of events of this type.
pub fn is_mailed(kind: &EventType) -> bool {
    GROUPS.iter().any(|(group, _)| *group == kind.group()) && !matches!(kind.name, "user.created" | "user.removed")
}

/// Notes an event for those whom it concerns and who want mail of it. Their rows stay locked.
pub fn note(connection: &mut PgConnection, events: &[Event<'_>]) -> Result<(), EnqueueError> {
    let mut noted: Vec<(&Event<'_>, Vec<i32>)> = Vec::new();
    for event in events.iter().filter(|event| is_mailed(&event.kind)) {
        let users = recipients::of(connection, event.kind.group(), &concerned(event))?;
        if !users.is_empty() {
            noted.push((event, users));
        }
    }
    let mut everyone: Vec<i32> = noted.iter().flat_map(|(_, users)| users).copied().collect();
    everyone.sort_unstable();
    everyone.dedup();
    let locked = recipients::lock(connection, &everyone)?;
    let mut idle = BTreeSet::new();
    for (event, users) in noted {
        // One may have removed the address meanwhile.
        let users: Vec<i32> = users.into_iter().filter(|user| locked.contains(user)).collect();
        idle.extend(notices::add(connection, &users, (event.kind.name, &event.data, event.at))?);
    }
    for user_id in idle {
        SendNotices { user_id }.enqueue(connection, GATHERING)?;
    }
    Ok(())
}

/// Whom an event concerns.
fn concerned(event: &Event<'_>) -> Concerned {
    let (data, text) = (&event.data, |value: &Value| value.as_str().map(str::to_owned));
    let owners_of = event.krate.as_ref().map(|name| name.canonical());
    let user_owners = |value: &Value| {
        let all = value.as_array().into_iter().flatten().filter_map(text);
        all.filter(|owner| !owner.starts_with(PREFIX)).collect::<Vec<_>>()
    };
    match event.kind.group() {
        "version" | "trusted_publisher" => Concerned { owners_of, ..Concerned::default() },
        // It has no owners any more.
        "crate" => Concerned { logins: user_owners(&data["detail"]["owners"]), ..Concerned::default() },
        "owner" => {
            let subject = text(&data["subject"]).filter(|owner| !owner.starts_with(PREFIX));
            Concerned { owners_of, logins: subject.into_iter().collect(), ..Concerned::default() }
        }
        "token" => {
            let token = data["detail"]["token_id"].as_i64().and_then(|id| i32::try_from(id).ok());
            Concerned { token, ..Concerned::default() }
        }
        "user" => Concerned { logins: text(&data["subject"]).into_iter().collect(), ..Concerned::default() },
        "team" => Concerned { logins: text(&data["detail"]["user"]).into_iter().collect(), ..Concerned::default() },
        _ => Concerned { admins: true, ..Concerned::default() },
    }
}
