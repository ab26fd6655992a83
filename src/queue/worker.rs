//! A worker thread: one connection, cycle after cycle, until the pool stops.
//!
//! After a cycle that took every due row which its claim saw, the worker does not look again at once, but waits for the next
//! wake-up or poll. No wake-up can be missed meanwhile: the ticket is older than the claim's snapshot. A job that the claim
//! did not see was committed after the snapshot, so its wake-up, which follows the commit, is younger than the ticket and
//! ends the wait at once. What becomes due without a wake-up (a delay, a backoff or a gap that is over) is found by the
//! poll, as by an idle worker. What the cycle itself made due (other jobs after an outage, the next one of an ordered key),
//! and rows that it saw and left, make it [look again](Cycle::Worked).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::connection::LendExt;
use super::cycle::Cycle;
use super::inner::Inner;
use super::registry::Workers;
use super::runner_error::RunnerError;
use super::session::{self, Plans, lock_by_name};
use super::settings::jittered;
use super::slot::Slot;
use crate::error_chain::ErrorChain;
use crate::full_disk::FullDisk;

/// The longest wait before a worker connects to the database again.
const RECONNECT_CAP: Duration = Duration::from_secs(5);
/// How long plans are kept while there is a backlog.
const PLANS_KEPT: Duration = Duration::from_secs(2);

/// Starts a worker thread for a queue.
pub(super) fn start<Env: Send + Sync + 'static>(inner: &Arc<Inner<Env>>, queue: &'static str) -> std::io::Result<()> {
    let slot = Arc::new(Slot::default());
    inner.pool.join(queue, &slot);
    let started = std::thread::Builder::new().name(format!("worker-{queue}")).spawn({
        let (inner, slot) = (Arc::clone(inner), Arc::clone(&slot));
        move || {
            let _membership = Membership { inner: &inner, queue, slot: &slot };
            inner.work(queue, &slot);
        }
    });
    if started.is_err() {
        inner.pool.leave(queue, &slot);
    }
    started.map(drop)
}

/// Leaves the pool when the thread ends, also by a panic.
struct Membership<'a, Env> {
    inner: &'a Inner<Env>,
    queue: &'static str,
    slot: &'a Arc<Slot>,
}

impl<Env> Drop for Membership<'_, Env> {
    fn drop(&mut self) {
        self.inner.pool.leave(self.queue, self.slot);
    }
}

impl<Env: Send + Sync + 'static> Inner<Env> {
    fn work(&self, queue: &'static str, slot: &Slot) {
        let mut failures = 0;
        while !self.pool.is_stopping() && !slot.is_cut_off() {
            match self.work_while_connected(queue, slot, &mut failures) {
                Ok(()) | Err(RunnerError::CutOff) => break,
                Err(error) => {
                    slot.session.store(0, Ordering::SeqCst);
                    let wait = Duration::from_millis(100).saturating_mul(1 << failures.min(10)).min(RECONNECT_CAP);
                    failures += 1;
                    if let Some(full) = FullDisk::behind(&error) {
                        full.report(&ErrorChain::of(&error));
                    }
                    let chain = ErrorChain::of(&error);
                    match error {
                        RunnerError::Connect(_) if !self.outages.is_due() => {
                            tracing::debug!(queue, failures, error = %chain, "a worker connects again in {wait:?}");
                        }
                        RunnerError::Connect(_) => {
                            tracing::warn!(queue, error = %chain, "workers cannot connect to the database, and try again");
                        }
                        _ => tracing::warn!(
                            queue, failures, error = %chain,
                            "a worker failed and connects again in {wait:?}"
                        ),
                    }
                    self.pool.pause(wait);
                }
            }
        }
    }

    /// Works on one connection until the pool stops. After an error the connection must be dropped.
    fn work_while_connected(&self, queue: &'static str, slot: &Slot, failures: &mut u32) -> Result<(), RunnerError> {
        slot.enter_database()?;
        let mut connection = self.source.connect().map_err(RunnerError::Connect)?;
        let session =
            connection.with(|connection| session::prepare(connection, &self.worker, queue, &self.settings))?;
        slot.session.store(session, Ordering::SeqCst);
        self.outages.is_over();
        let mut may_claim = self.registry.workers_of(queue) != Workers::OneInAll;
        let mut only_worker = None;
        let mut plans = Plans::fresh();
        while !self.pool.is_stopping() {
            let ticket = self.wakeups.ticket(queue);
            if connection.is_outdated() {
                return Err(RunnerError::Outdated);
            }
            if !may_claim {
                slot.enter_database()?;
                may_claim = connection.with(|connection| lock_by_name(connection, queue))?;
                if may_claim {
                    only_worker.get_or_insert_with(|| self.wakeups.set_only_worker(queue));
                    tracing::debug!(queue, worker = self.worker, "this worker holds the queue's lock");
                }
            }
            let cycle = if may_claim { self.cycle(&mut *connection, queue, slot)? } else { Cycle::Idle };
            *failures = 0;
            if cycle.leaves_many() {
                connection.with(|connection| plans.renew(connection, PLANS_KEPT))?;
            }
            if let Cycle::Idle | Cycle::Worked { more: false, .. } = cycle {
                slot.rest();
                self.wakeups.wait(&ticket, jittered(self.settings.poll));
            }
        }
        Ok(())
    }
}
