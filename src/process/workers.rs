//! The part of a process that takes jobs: runner and listener, and what keeps a mirror of the index up to date.

use std::time::Duration;

use super::schedule::tidying::Tidying;
use super::schedule::verifying::Verifying;
use super::setup::prepare_mirror;
use crate::config::WorkOptions;
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::upkeep::index_state::HEAD_CHANNEL;
use crate::index::{ConfigJson, Index};
use crate::jobs::follow::Follower;
use crate::jobs::{self, Environment};
use crate::process::{CommandError, Storage};
use crate::queue::listener::{ChannelHandler, Listener};
use crate::queue::{Completions, Runner, Running, Settings, Wakeups, WorkersView};

/// What jobs and requests of a process share.
pub struct Shared {
    pub pool: Pool,
    pub index: Index,
    pub crate_store: CrateStore,
    pub wakeups: Wakeups,
    pub completions: Completions,
}

/// How a mirror of the index is kept up to date.
pub struct Following {
    /// How often the remote is asked.
    pub poll: Duration,
    /// What the process that serves wants to be in the index.
    pub config_json: Option<ConfigJson>,
}

/// Workers at work, and an ear for other processes.
pub struct Working {
    running: Option<Running>,
    listener: Option<Listener>,
    verifying: Option<Verifying>,
    tidying: Option<Tidying>,
    /// Ends last: requests may wait for it.
    follower: Option<Follower>,
}

impl Working {
    /// Starts the listener, and the workers if this process takes jobs. `requests` is how many connections are kept for
    /// other things.
    pub fn start(
        storage: &Storage,
        shared: &Shared,
        takes_jobs: Option<&WorkOptions>,
        requests: u32,
        following: Following,
    ) -> Result<Self, CommandError> {
        let Shared { pool, index, crate_store, wakeups, completions } = shared;
        let registry = jobs::registry()?;
        let queues = registry.queues();
        let environment = Environment { index: index.clone(), crate_store: crate_store.clone() };
        let runner =
            Runner::new(registry, environment, pool.clone(), worker_name(), wakeups.clone(), completions.clone());
        // One more listens, and two say now and then that this process verifies, and that it tidies.
        let for_jobs = takes_jobs.map_or(0, |_| runner.connections() + 2) + 1;
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
        let (url, wakeups, completions) = (&storage.database_url, wakeups.clone(), completions.clone());
        let (listener, follower) = match index.remote() {
            None => (Listener::start(url, &queues, wakeups, completions)?, None),
            Some(remote) => {
                let Following { poll, config_json } = following;
                let (mirror, its_remote) = (index.clone(), remote.clone());
                let prepare = move || prepare_mirror(&mirror, &its_remote, config_json.as_ref());
                let follower = Follower::start(index, remote, pool, poll, prepare)?;
                let remote = remote.clone();
                let ear =
                    ChannelHandler { channel: HEAD_CHANNEL, heard: Box::new(move |_| remote.fetch_requests().ask()) };
                (Listener::start_with(url, &queues, wakeups, completions, ear)?, Some(follower))
            }
        };
        let verifying = match takes_jobs {
            Some(options) => Verifying::start(storage, (pool, index, crate_store), options.verify_interval)?,
            None => None,
        };
        let tidying = match takes_jobs {
            Some(options) => Some(Tidying::start(storage, (pool, crate_store), options.quarantine_retention)?),
            None => None,
        };
        Ok(Self { running, listener: Some(listener), verifying, tidying, follower })
    }

    /// The workers, if this process has any.
    pub fn view(&self) -> Option<WorkersView> {
        self.running.as_ref().map(Running::view)
    }

    /// Lets the batch at hand finish.
    pub fn stop(mut self) {
        drop(self.listener.take());
        if let Some(verifying) = self.verifying.take() {
            verifying.stop();
        }
        if let Some(tidying) = self.tidying.take() {
            tidying.stop();
        }
        if let Some(running) = self.running.take() {
            running.stop();
        }
        drop(self.follower.take());
    }
}

/// Names this process in job rows and database sessions.
pub fn worker_name() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    format!("{}:{}", host.to_string_lossy(), std::process::id())
}
