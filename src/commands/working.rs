//! The part of a process that takes jobs: runner and listener.

use std::time::Duration;

use super::{CommandError, Storage};
use crate::config::WorkOptions;
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::index::Index;
use crate::jobs::{self, Environment};
use crate::queue::listener::Listener;
use crate::queue::{Completions, Runner, Running, Settings, Wakeups, WorkersView};

/// What jobs and requests of a process share.
pub(super) struct Shared {
    pub pool: Pool,
    pub index: Index,
    pub crate_store: CrateStore,
    pub wakeups: Wakeups,
    pub completions: Completions,
}

/// Workers at work, and an ear for other processes.
pub(super) struct Working {
    running: Option<Running>,
    listener: Option<Listener>,
}

impl Working {
    /// Starts the listener, and the workers if this process takes jobs. `requests` is how many connections are kept for
    /// other things.
    pub(super) fn start(
        storage: &Storage,
        shared: &Shared,
        takes_jobs: Option<&WorkOptions>,
        requests: u32,
    ) -> Result<Self, CommandError> {
        let Shared { pool, index, crate_store, wakeups, completions } = shared;
        let registry = jobs::registry()?;
        let queues = registry.queues();
        let environment = Environment { index: index.clone(), crate_store: crate_store.clone() };
        let runner =
            Runner::new(registry, environment, pool.clone(), worker_name(), wakeups.clone(), completions.clone());
        // One more listens.
        let for_jobs = takes_jobs.map_or(0, |_| runner.connections()) + 1;
        storage.check_connections(requests, for_jobs)?;
        let running = match takes_jobs {
            Some(options) => {
                let settings = Settings {
                    history_retention: options.history_retention,
                    longest_run: options.job_time_limit.unwrap_or(Duration::MAX),
                    ..Settings::default()
                };
                Some(runner.with_settings(settings).start()?)
            }
            None => None,
        };
        let listener = Listener::start(&storage.database_url, &queues, wakeups.clone(), completions.clone())?;
        Ok(Self { running, listener: Some(listener) })
    }

    /// The workers, if this process has any.
    pub(super) fn view(&self) -> Option<WorkersView> {
        self.running.as_ref().map(Running::view)
    }

    /// Lets the batch at hand finish.
    pub(super) fn stop(mut self) {
        drop(self.listener.take());
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

/// Names this process in job rows and database sessions.
fn worker_name() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    format!("{}:{}", host.to_string_lossy(), std::process::id())
}
