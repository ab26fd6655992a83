//! Adding, changing and removing webhooks, and what their owners do about deliveries.

use chrono::{TimeDelta, Utc};
use diesel::{Connection, PgConnection, QueryResult};
use serde_json::json;

use super::deliver::DeliverWebhook;
use super::event;
use super::given::{check_received, checked_url, line, origin, patterns};
use super::record::record;
use super::rights::Who;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::teams;
use crate::database::catalog::refusal::{self, ChangeRefusal};
use crate::database::catalog::webhook_refusal::{MAX_OF_ALL, MAX_OF_ONE, WebhookRefusal};
use crate::database::webhooks::deliveries::{self, Delivery};
use crate::database::webhooks::endpoints::{self, Changes, NewWebhook, Removed, Subject, Webhook, Which};
use crate::jobs::request::RequestError;
use crate::webhook::Secret;
use crate::webhook::event_type::{EventPattern, TEST};

/// Waiting events above which no test and no repetition is added.
const MAX_WAITING: i64 = 100;

/// How long the previous secret still signs, after a rotation without another end.
pub const OVERLAP: TimeDelta = TimeDelta::days(1);
/// The longest that it may.
pub const MAX_OVERLAP: TimeDelta = TimeDelta::days(30);

/// A webhook to add, as people give it.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub url: String,
    pub description: Option<String>,
    /// The crate that it receives events of; without crate and team it receives everything.
    pub krate: Option<String>,
    pub team: Option<String>,
    /// Types and groups of events. None: all.
    pub events: Option<Vec<String>>,
}

/// What to change of a webhook; None: it stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Update {
    pub url: Option<String>,
    /// An empty one is removed.
    pub description: Option<String>,
    pub events: Option<Vec<String>>,
}

/// What the events of a webhook are to be about.
fn subject(connection: &mut PgConnection, krate: Option<&str>, team: Option<&str>) -> Result<Subject, RequestError> {
    match (krate, team) {
        (Some(_), Some(_)) => Err(WebhookRefusal::CrateAndTeam.into()),
        (Some(given), None) => {
            let name = given.parse().map_err(|_| ChangeRefusal::UnknownCrate(given.chars().take(100).collect()))?;
            let found = refusal::find_crate(connection, &name)??;
            Ok(Subject::Crate { id: found.id, name: found.name })
        }
        (None, Some(given)) => {
            let found = teams::find(connection, given.strip_prefix(teams::PREFIX).unwrap_or(given))?;
            let team = found.ok_or_else(|| ChangeRefusal::UnknownTeam(given.chars().take(100).collect()))?;
            Ok(Subject::Team { id: team.id, name: team.name })
        }
        (None, None) => Ok(Subject::Everything),
    }
}

/// Adds a webhook, which gets a test at once; returns it with its secret, which is not shown again. `registry` is the URL by which
/// receivers know this registry.
pub fn add(
    connection: &mut PgConnection,
    wanted: &Wanted,
    registry: Option<&str>,
    who: Who<'_>,
) -> Result<(Webhook, Secret), RequestError> {
    let url = checked_url(&wanted.url)?;
    let description = line("description", wanted.description.as_deref())?;
    let events = wanted.events.as_deref().map_or_else(|| Ok(vec![EventPattern::all()]), patterns)?;
    connection.transaction(|connection| {
        let subject = subject(connection, wanted.krate.as_deref(), wanted.team.as_deref())?;
        let actor = who.confirm(connection, &subject)?;
        check_received(&events, &subject)?;
        let (whose, limit) = match &subject {
            Subject::Everything => ("the registry".to_owned(), MAX_OF_ALL),
            Subject::Crate { name, .. } => (format!("the crate `{name}`"), MAX_OF_ONE),
            Subject::Team { name, .. } => (format!("the team `{name}`"), MAX_OF_ONE),
        };
        if endpoints::count_alike(connection, &subject)? >= limit {
            return Err(WebhookRefusal::TooMany { whose, limit }.into());
        }
        let secret = Secret::random().map_err(RequestError::Randomness)?;
        let new = NewWebhook {
            url: &url,
            description,
            subject: &subject,
            events: &events,
            secret: &secret,
            created_by: who.user(),
        };
        let id = endpoints::add(connection, &new)?;
        let webhook = one(connection, id)?;
        let names: Vec<String> = events.iter().map(ToString::to_string).collect();
        record(connection, (Action::WebhookAdd, &webhook), json!({ "at": origin(&url), "events": names }), &actor)?;
        send_test(connection, &webhook, registry, &actor)?;
        Ok((webhook, secret))
    })
}

fn one(connection: &mut PgConnection, id: i32) -> Result<Webhook, RequestError> {
    Ok(endpoints::find(connection, id)?.ok_or(WebhookRefusal::Unknown(id))?)
}

/// Changes a webhook in one transaction, with its row locked. `make` says what goes to the audit log.
fn change<T>(
    connection: &mut PgConnection,
    id: i32,
    who: Who<'_>,
    make: impl FnOnce(&mut PgConnection, &Webhook, &Actor) -> Result<T, RequestError>,
) -> Result<T, RequestError> {
    connection.transaction(|connection| {
        let subject = one(connection, id)?.subject;
        let actor = who.confirm(connection, &subject)?;
        endpoints::lock(connection, &[id])?;
        // It may have been changed while this waited.
        let webhook = one(connection, id)?;
        make(connection, &webhook, &actor)
    })
}

/// Changes where a webhook is, what it receives, or its description.
pub fn update(connection: &mut PgConnection, id: i32, update: &Update, who: Who<'_>) -> Result<Webhook, RequestError> {
    let url = update.url.as_deref().map(checked_url).transpose()?;
    let text = update.description.as_deref().map(|text| line("description", Some(text))).transpose()?;
    let events = update.events.as_deref().map(patterns).transpose()?;
    change(connection, id, who, |connection, webhook, actor| {
        check_received(events.as_deref().unwrap_or_default(), &webhook.subject)?;
        let changes = Changes { url: url.as_deref(), description: text, events: events.as_deref() };
        endpoints::update(connection, id, &changes)?;
        let after = one(connection, id)?;
        if after.url != webhook.url {
            deliveries::hurry(connection, id)?;
        }
        if after != *webhook {
            let names: Vec<String> = after.events.iter().map(ToString::to_string).collect();
            let detail = json!({ "at": origin(&after.url), "events": names, "has_moved": after.url != webhook.url });
            record(connection, (Action::WebhookUpdate, &after), detail, actor)?;
        }
        Ok(after)
    })
}

/// Removes a webhook, with what waits for it.
pub fn remove(connection: &mut PgConnection, id: i32, who: Who<'_>) -> Result<Webhook, RequestError> {
    change(connection, id, who, |connection, webhook, actor| {
        endpoints::remove(connection, id)?;
        record(connection, (Action::WebhookRemove, webhook), json!({ "at": origin(&webhook.url) }), actor)?;
        Ok(webhook.clone())
    })
}

/// Removes the webhooks of deleted crates that have received the event of that.
pub fn remove_of_deleted(connection: &mut PgConnection) -> QueryResult<Vec<Removed>> {
    connection.transaction(|connection| {
        let removed = endpoints::remove_of_deleted(connection)?;
        for one in &removed {
            Event::new(Action::WebhookRemove)
                .about(&one.id.to_string())
                .of_crate(&one.krate)
                .detail(json!({ "at": origin(&one.url), "because": "the crate was deleted" }))
                .record(connection, &Actor::registry())?;
        }
        Ok(removed)
    })
}

/// Makes no deliveries until the webhook is resumed; its events wait.
pub fn pause(connection: &mut PgConnection, id: i32, reason: Option<&str>, who: Who<'_>) -> Result<(), RequestError> {
    let reason = line("reason", reason)?;
    change(connection, id, who, |connection, webhook, actor| {
        if endpoints::pause(connection, id, Some(&actor.name), reason)? {
            record(connection, (Action::WebhookPause, webhook), json!({ "reason": reason }), actor)?;
        }
        Ok(())
    })
}

/// What a resumption did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Events that are being delivered now.
    pub waiting: i64,
    /// Events that were dropped.
    pub dropped: usize,
    pub was_paused: bool,
}

/// Ends a pause, and delivers what waits, in its order; or, if `drops`, drops that. Without a pause it makes the next attempt now.
pub fn resume(connection: &mut PgConnection, id: i32, drops: bool, who: Who<'_>) -> Result<Resumed, RequestError> {
    change(connection, id, who, |connection, webhook, actor| {
        let dropped = if drops { deliveries::drop_waiting(connection, id)? } else { 0 };
        let waiting = deliveries::count_waiting(connection, id)?;
        let was_paused = endpoints::end_pause(connection, id)?;
        // One of before a pause may be there as well, and do nothing but end; both deliver in order. Without a pause it may be dead.
        if waiting > 0 && (was_paused || !deliveries::has_job(connection, id)?) {
            DeliverWebhook { webhook_id: id }.enqueue(connection)?;
        }
        deliveries::hurry(connection, id)?;
        if was_paused || dropped > 0 {
            record(connection, (Action::WebhookResume, webhook), json!({ "dropped": dropped }), actor)?;
        }
        Ok(Resumed { waiting, dropped, was_paused })
    })
}

/// Gives a webhook another secret, which is returned and not shown again. The one before signs as well for `overlap`.
pub fn rotate(
    connection: &mut PgConnection,
    id: i32,
    overlap: TimeDelta,
    who: Who<'_>,
) -> Result<Secret, RequestError> {
    if overlap > MAX_OVERLAP || overlap < TimeDelta::zero() {
        return Err(WebhookRefusal::Overlap.into());
    }
    let until = Utc::now() + overlap;
    let secret = Secret::random().map_err(RequestError::Randomness)?;
    change(connection, id, who, |connection, webhook, actor| {
        endpoints::rotate(connection, id, &secret, until)?;
        Ok(record(connection, (Action::WebhookSecret, webhook), json!({ "previous_until": until }), actor)?)
    })?;
    Ok(secret)
}

/// Sends a test behind what waits; returns the number of its delivery.
pub fn test(connection: &mut PgConnection, id: i32, registry: Option<&str>, who: Who<'_>) -> Result<i64, RequestError> {
    change(connection, id, who, |connection, webhook, actor| send_test(connection, webhook, registry, actor))
}

fn send_test(
    connection: &mut PgConnection,
    webhook: &Webhook,
    registry: Option<&str>,
    actor: &Actor,
) -> Result<i64, RequestError> {
    let now = Utc::now();
    let event = deliveries::add_event(connection, &TEST, &event::test_body(registry, &actor.name, now), now)?;
    deliver(connection, webhook.id, event)
}

/// Delivers an event again, behind what waits; returns the number of the new delivery. Its receiver knows the event by its id.
pub fn redeliver(connection: &mut PgConnection, id: i32, delivery: i64, who: Who<'_>) -> Result<i64, RequestError> {
    change(connection, id, who, |connection, _, _| {
        let found = deliveries::find(connection, id, delivery)?;
        let found = found.ok_or(WebhookRefusal::UnknownDelivery { webhook: id, delivery })?;
        deliver(connection, id, found.event)
    })
}

/// Puts an event behind what waits for a webhook that is not paused; returns the number of the delivery.
fn deliver(connection: &mut PgConnection, webhook_id: i32, event: i64) -> Result<i64, RequestError> {
    if endpoints::lock(connection, &[webhook_id])?.is_empty() {
        return Err(WebhookRefusal::Paused(webhook_id).into());
    }
    if deliveries::count_waiting(connection, webhook_id)? >= MAX_WAITING {
        return Err(WebhookRefusal::Busy { webhook: webhook_id, limit: MAX_WAITING }.into());
    }
    if !deliveries::add(connection, &[webhook_id], event)?.is_empty() {
        DeliverWebhook { webhook_id }.enqueue(connection)?;
    }
    Ok(deliveries::newest(connection, webhook_id)?)
}

/// The webhooks of a crate or of a team; without either all of them, for admins.
pub fn list(
    connection: &mut PgConnection,
    krate: Option<&str>,
    team: Option<&str>,
    who: Who<'_>,
) -> Result<Vec<Webhook>, RequestError> {
    let subject = subject(connection, krate, team)?;
    who.check_sees(connection, &subject)?;
    let which = match subject {
        Subject::Everything => Which::All,
        Subject::Crate { id, .. } => Which::OfCrate(id),
        Subject::Team { id, .. } => Which::OfTeam(id),
    };
    Ok(endpoints::list(connection, which)?)
}

/// A webhook, for somebody who may change it.
pub fn show(connection: &mut PgConnection, id: i32, who: Who<'_>) -> Result<Webhook, RequestError> {
    let webhook = one(connection, id)?;
    who.check_sees(connection, &webhook.subject)?;
    Ok(webhook)
}

/// The deliveries of a webhook, newest first.
pub fn list_deliveries(
    connection: &mut PgConnection,
    id: i32,
    (before, limit): (Option<i64>, i64),
    who: Who<'_>,
) -> Result<Vec<Delivery>, RequestError> {
    show(connection, id, who)?;
    Ok(deliveries::list(connection, id, before, limit)?)
}
