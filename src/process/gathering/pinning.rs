//! Pins for what a command fetches.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::database::Pool;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::upstream_pins::{self, NewPin};
use crate::process::CommandError;
use crate::web::upstreams::{NotObtained, Resolved};

/// Pins versions for one reason, and writes one entry into the audit log for all.
pub struct Pinning<'a> {
    pool: &'a Pool,
    actor: Actor,
    reason: String,
    count: AtomicU64,
}

impl<'a> Pinning<'a> {
    pub fn new(pool: &'a Pool, actor: Actor, reason: String) -> Self {
        Self { pool, actor, reason, count: AtomicU64::new(0) }
    }

    /// Pins a version; false if it is pinned already.
    pub fn pin(&self, upstream: &str, version: &Resolved) -> Result<bool, NotObtained> {
        let Resolved { name, version, checksum } = version;
        let pin =
            NewPin { upstream, name, version, checksum: *checksum, reason: &self.reason, actor: &self.actor.name };
        let unpinned = |error: String| NotObtained::Pin(error);
        let added = self.pool.with(|connection| upstream_pins::add(connection, &pin));
        let added = added.map_err(|error| unpinned(error.to_string()))?.map_err(|error| unpinned(error.to_string()))?;
        self.count.fetch_add(u64::from(added), Ordering::Relaxed);
        Ok(added)
    }

    /// Writes the entry, if something was pinned.
    pub fn record(&self, upstreams: &[&str]) -> Result<(), CommandError> {
        let count = self.count.load(Ordering::Relaxed);
        if count > 0 {
            let detail = json!({ "count": count, "reason": self.reason });
            let about = upstreams.join(", ");
            let event = Event::new(Action::UpstreamPin).about(&about).detail(detail);
            self.pool.with(|connection| event.record(connection, &self.actor))??;
        }
        Ok(())
    }
}
