//! Passing on what happened: from the outbox to the webhooks that receive it.

use std::collections::{BTreeSet, HashSet};

use diesel::{Connection, PgConnection};

use super::deliver::DeliverWebhook;
use super::event::Event;
use crate::database::webhooks::{deliveries, endpoints, outbox};
use crate::fault::{self, Fault};
use crate::jobs::email::{concerned, send_notices};
use crate::queue::EnqueueError;

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
        send_notices::mend(connection)?;
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
        let events: Vec<Event<'_>> = entries.iter().filter_map(Event::of).collect();
        let mut sent = Vec::new();
        for event in &events {
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
        concerned::note(connection, &events)?;
        fault::point("webhook.before_relay_commit")?;
        outbox::remove(connection, &entries.iter().map(|entry| entry.id).collect::<Vec<_>>())?;
        Ok((entries.len(), sent.len()))
    })
}
