//! Passing events on to webhooks, soon after the jobs that made them true; and removing old deliveries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::PgConnection;

use super::{Intervals, Scheduled, Stopped};
use crate::database::Pool;
use crate::database::webhooks::{deliveries, outbox};
use crate::index::Index;
use crate::jobs::environment::registry_url;
use crate::jobs::webhooks::{configure, relay};
use crate::process::CommandError;
use crate::queue::Completions;

/// What no job makes true, such as another owner, is found within this time.
const INTERVALS: Intervals = Intervals { first: Duration::ZERO, then: Duration::from_secs(1) };
/// How often old deliveries are removed.
const PRUNED_EVERY: Duration = Duration::from_secs(60 * 60);
/// Deliveries that one statement removes.
const PORTION: i64 = 1000;

/// Starts the schedule. Several processes may do this at the same time: one of them passes on at a time. `retention` is how long
/// deliveries are kept.
pub fn start(
    (pool, index): (&Pool, &Index),
    completions: &Completions,
    retention: Duration,
) -> Result<Scheduled, CommandError> {
    let (pool, index) = (pool.clone(), index.clone());
    let is_used = Arc::new(AtomicBool::new(true));
    let (mut pruned, used) = (None::<Instant>, Arc::clone(&is_used));
    let scheduled = Scheduled::start("webhooks", "pass events on to webhooks", INTERVALS, move |stopped| {
        let any = pool.with(outbox::any)??;
        // Without receivers a publish does not wake this.
        used.store(any.receivers, Ordering::Relaxed);
        if any.entries {
            let registry = registry_url(&index);
            pool.with(|connection| relay::run(connection, registry.as_deref(), &|| stopped.is_set()))??;
        }
        if any.webhooks {
            for removed in pool.with(configure::remove_of_deleted)?? {
                tracing::info!(webhook = removed.id, name = %removed.krate, "removed a webhook: its crate was deleted");
            }
        }
        if pruned.is_none_or(|at| at.elapsed() > PRUNED_EVERY) {
            pool.with(relay::mend)??;
            pool.with(|connection| prune(connection, retention, stopped))??;
            pruned = Some(Instant::now());
        }
        Ok(())
    })?;
    let waker = scheduled.waker();
    completions.watch(move || {
        if is_used.load(Ordering::Relaxed) {
            waker();
        }
    });
    Ok(scheduled)
}

fn prune(connection: &mut PgConnection, retention: Duration, stopped: &Stopped) -> Result<(), CommandError> {
    let age = TimeDelta::from_std(retention).ok();
    let before = age.and_then(|age| Utc::now().checked_sub_signed(age)).unwrap_or(DateTime::<Utc>::MIN_UTC);
    while !stopped.is_set() && deliveries::prune(connection, before, PORTION)? > 0 {}
    deliveries::prune_events(connection, before)?;
    let unsettled = outbox::remove_unsettled(connection, before)?;
    if unsettled > 0 {
        tracing::warn!(
            events = unsettled,
            "removed events for webhooks that the index has never shown: of jobs that were discarded, or are still dead"
        );
    }
    Ok(())
}
