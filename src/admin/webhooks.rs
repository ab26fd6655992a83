//! `supercargo webhook`.

use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use diesel::PgConnection;
use serde_json::{Value, json};

use super::AdminError;
use super::output::{print_json, print_table, say};
use crate::database::access::audit::Actor;
use crate::database::webhooks::deliveries::{self, Delivery, Standing};
use crate::database::webhooks::endpoints::{Subject, Webhook};
use crate::jobs::webhooks::configure::{self, Resumed, Update, Wanted};
use crate::jobs::webhooks::rights::Who;
use crate::webhook::Secret;
use crate::webhook::event_type::TYPES;

/// Between two looks at a delivery that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub fn add(
    connection: &mut PgConnection,
    operator: &Actor,
    wanted: &Wanted,
    registry: Option<&str>,
) -> Result<(), AdminError> {
    let (webhook, secret) = configure::add(connection, wanted, registry, Who::Operator(operator))?;
    say!("webhook {}: {} receives {}, and gets a test", webhook.id, webhook.url, described(&webhook));
    say_secret(&secret);
    Ok(())
}

/// The secret stands on a line of its own, for programs.
fn say_secret(secret: &Secret) {
    say!("its secret, which is not shown again:\n{}", secret.reveal());
}

/// What a webhook receives, for people.
fn described(webhook: &Webhook) -> String {
    let events = webhook.events.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let of = match &webhook.subject {
        Subject::Everything => "the registry".to_owned(),
        Subject::Crate { name, .. } => format!("the crate {name}"),
        Subject::Team { name, .. } => format!("the team {name}"),
    };
    if events == "*" { format!("every event of {of}") } else { format!("{events} of {of}") }
}

pub fn list(
    connection: &mut PgConnection,
    operator: &Actor,
    (krate, team): (Option<&str>, Option<&str>),
    as_json: bool,
) -> Result<(), AdminError> {
    let found = configure::list(connection, krate, team, Who::Operator(operator))?;
    let ids: Vec<i32> = found.iter().map(|webhook| webhook.id).collect();
    let standings = deliveries::standings(connection, &ids)?;
    let each = found.iter().zip(&standings);
    if as_json {
        return Ok(print_json(&each.map(|(webhook, standing)| as_value(webhook, standing)).collect::<Vec<_>>())?);
    }
    print_table(
        ["ID", "URL", "EVENTS", "STATE", "WAITING", "LAST DELIVERY"],
        each.map(|(webhook, standing)| {
            [
                webhook.id.to_string(),
                webhook.url.clone(),
                described(webhook),
                standing.state(webhook).as_str().to_owned(),
                standing.waiting.to_string(),
                time(standing.last_delivered_at),
            ]
        }),
    );
    Ok(())
}

fn time(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn as_value(webhook: &Webhook, standing: &Standing) -> Value {
    let (krate, team) = match &webhook.subject {
        Subject::Everything => (None, None),
        Subject::Crate { name, .. } => (Some(name.as_str()), None),
        Subject::Team { name, .. } => (None, Some(name.as_str())),
    };
    let pause = webhook.pause.as_ref();
    let pause = pause.map(|pause| json!({ "at": time(Some(pause.at)), "by": pause.by, "reason": pause.reason }));
    json!({
        "id": webhook.id, "url": webhook.url, "description": webhook.description, "crate": krate, "team": team,
        "events": webhook.events.iter().map(ToString::to_string).collect::<Vec<_>>(), "created_by": webhook.created_by,
        "created_at": time(Some(webhook.created_at)), "state": standing.state(webhook).as_str(), "pause": pause,
        "previous_secret_until": webhook.previous_until.map(|until| time(Some(until))), "waiting": standing.waiting, "waiting_since": standing.waiting_since.map(|at| time(Some(at))),
        "last_delivered_at": standing.last_delivered_at.map(|at| time(Some(at))),
        "attempts": standing.attempts, "error": standing.error, "next_attempt_at": standing.next_attempt_at.map(|at| time(Some(at))),
    })
}

pub fn show(
    connection: &mut PgConnection,
    operator: &Actor,
    id: i32,
    (limit, as_json): (i64, bool),
) -> Result<(), AdminError> {
    let webhook = configure::show(connection, id, Who::Operator(operator))?;
    let standing = deliveries::standings(connection, &[id])?.pop();
    let Some(standing) = standing else { return Ok(()) };
    let found = deliveries::list(connection, id, None, limit)?;
    if as_json {
        let mut value = as_value(&webhook, &standing);
        value["deliveries"] = found.iter().map(delivery_value).collect();
        return Ok(print_json(&value)?);
    }
    say!("webhook {}: {} receives {}", webhook.id, webhook.url, described(&webhook));
    if let Some(text) = &webhook.description {
        say!("{text}");
    }
    if let Some(until) = webhook.previous_until {
        say!("messages have the signature of the previous secret, too, until {}", time(Some(until)));
    }
    if let Some(pause) = &webhook.pause {
        let by = pause.by.as_deref().unwrap_or("the registry");
        let why = pause.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        say!("paused {} by {by}{why}. `supercargo webhook resume {id}` ends the pause", time(Some(pause.at)));
    } else if let Some(error) = &standing.error {
        say!(
            "failing: {} attempts so far, the next one {}. {error}",
            standing.attempts,
            time(standing.next_attempt_at)
        );
    }
    print_table(
        ["ID", "EVENT", "TYPE", "HAPPENED", "DELIVERED", "ANSWER"],
        found.iter().map(|one| {
            let answer = match (one.status, one.took_ms, &one.error) {
                (Some(status), Some(took), _) => format!("{status} after {took} ms"),
                (_, _, Some(error)) => error.clone(),
                _ if one.is_dead => "its job is dead: see `supercargo jobs list --dead`".to_owned(),
                _ => "-".to_owned(),
            };
            let event = one.public_id.clone();
            [one.id.to_string(), event, one.kind.clone(), time(Some(one.happened_at)), time(one.delivered_at), answer]
        }),
    );
    Ok(())
}

fn delivery_value(one: &Delivery) -> Value {
    json!({
        "id": one.id, "event": one.public_id, "type": one.kind, "happened_at": time(Some(one.happened_at)),
        "delivered_at": one.delivered_at.map(|at| time(Some(at))), "status": one.status, "took_ms": one.took_ms, "attempts": one.attempts,
        "error": one.error, "job": one.job, "dead": one.is_dead, "body": one.body,
    })
}

pub fn update(connection: &mut PgConnection, operator: &Actor, id: i32, update: &Update) -> Result<(), AdminError> {
    let webhook = configure::update(connection, id, update, Who::Operator(operator))?;
    say!("webhook {id}: {} receives {}", webhook.url, described(&webhook));
    Ok(())
}

pub fn pause(connection: &mut PgConnection, operator: &Actor, id: i32, reason: Option<&str>) -> Result<(), AdminError> {
    configure::pause(connection, id, reason, Who::Operator(operator))?;
    say!("webhook {id} is paused, and its events wait");
    Ok(())
}

pub fn resume(connection: &mut PgConnection, operator: &Actor, id: i32, drops: bool) -> Result<(), AdminError> {
    let resumed = configure::resume(connection, id, drops, Who::Operator(operator))?;
    let Resumed { waiting, dropped, was_paused } = resumed;
    match (dropped, was_paused) {
        (0, true) => say!("webhook {id} is active; waiting events: {waiting}"),
        (0, false) => say!("webhook {id} was not paused, and gets what waits now; waiting events: {waiting}"),
        (dropped, _) => say!("webhook {id} is active; dropped events: {dropped}"),
    }
    Ok(())
}

pub fn test(
    connection: &mut PgConnection,
    operator: &Actor,
    id: i32,
    (registry, wait): (Option<&str>, Duration),
) -> Result<(), AdminError> {
    let delivery = configure::test(connection, id, registry, Who::Operator(operator))?;
    if wait.is_zero() {
        say!("a test is on its way to the webhook {id}, as delivery {delivery}");
        return Ok(());
    }
    let until = Instant::now() + wait;
    loop {
        match deliveries::find(connection, id, delivery)? {
            Some(Delivery { status: Some(status), took_ms: Some(took), .. }) => {
                say!("webhook {id} has accepted the test: {status} after {took} ms");
                return Ok(());
            }
            Some(Delivery { error: Some(error), .. }) => return Err(AdminError::TestFailed { id, error }),
            None => return Err(AdminError::TestFailed { id, error: "the webhook was removed".to_owned() }),
            Some(_) => {}
        }
        if let Some(error) = deliveries::standings(connection, &[id])?.pop().and_then(|standing| standing.error) {
            return Err(AdminError::TestBehind { id, error });
        }
        if Instant::now() >= until {
            return Err(AdminError::TestWaits { id });
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

pub fn redeliver(connection: &mut PgConnection, operator: &Actor, id: i32, delivery: i64) -> Result<(), AdminError> {
    let new = configure::redeliver(connection, id, delivery, Who::Operator(operator))?;
    say!("the event of the delivery {delivery} is delivered again, as delivery {new}");
    Ok(())
}

pub fn rotate(connection: &mut PgConnection, operator: &Actor, id: i32, overlap: Duration) -> Result<(), AdminError> {
    let overlap = TimeDelta::from_std(overlap).unwrap_or(configure::MAX_OVERLAP);
    let secret = configure::rotate(connection, id, overlap, Who::Operator(operator))?;
    if overlap.is_zero() {
        say!("webhook {id} signs with another secret, and no longer with the one before");
    } else {
        let until = time(Some(Utc::now() + overlap));
        say!("webhook {id} signs with another secret, and with the one before until {until}");
    }
    say_secret(&secret);
    Ok(())
}

pub fn remove(connection: &mut PgConnection, operator: &Actor, id: i32) -> Result<(), AdminError> {
    let webhook = configure::remove(connection, id, Who::Operator(operator))?;
    say!("removed the webhook {id}: {}", webhook.url);
    Ok(())
}

pub fn events(as_json: bool) -> Result<(), AdminError> {
    if as_json {
        return Ok(print_json(
            &TYPES.iter().map(|kind| json!({ "type": kind.name, "tells": kind.tells })).collect::<Vec<_>>(),
        )?);
    }
    print_table(["TYPE", "TELLS"], TYPES.iter().map(|kind| [kind.name.to_owned(), kind.tells.to_owned()]));
    Ok(())
}
