//! What the threads of a runner share.

use super::connection::ConnectionSource;
use super::outage_log::OutageLog;
use super::registry::{Group, Registry};
use super::settings::Settings;
use super::wakeup::{Completions, Wakeups};
use super::worker_pool::WorkerPool;

pub(super) struct Inner<Env> {
    pub registry: Registry<Env>,
    pub environment: Env,
    pub source: Box<dyn ConnectionSource>,
    pub wakeups: Wakeups,
    pub completions: Completions,
    /// The name of this process in rows and sessions.
    pub worker: String,
    pub settings: Settings,
    pub pool: WorkerPool,
    pub outages: OutageLog,
}

impl<Env: 'static> Inner<Env> {
    pub fn group(&self, kind: &str) -> &dyn Group<Env> {
        self.registry.group_of(kind).expect("only registered kinds are claimed") // see `Registry::kinds_of`
    }
}
