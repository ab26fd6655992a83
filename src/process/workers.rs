//! The background threads of `serve` and `worker`: job runner, listener, schedules, and the follower of an index remote.

use std::time::Duration;

use super::buckets::index_export;
use super::schedule::{
    Scheduled, advisories, analysing, bitmaps, describing, exporting, release_sets, tidying, verifying, webhooks,
};
use super::setup::prepare_mirror;
use crate::config::{CrateStoreOptions, IndexExportOptions, WorkOptions};
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::upkeep::index_state::HEAD_CHANNEL;
use crate::index::{ConfigJson, Index};
use crate::jobs::follow::Follower;
use crate::jobs::index_export::Destination;
use crate::jobs::{self, Environment};
use crate::process::{CommandError, Storage};
use crate::queue::listener::{ChannelHandler, Listener};
use crate::queue::{Completions, Runner, Running, Settings, Wakeups, WorkersView};
use crate::upstream::guarded::Guarded;
use crate::upstream::smtp::Smtp;
use crate::web::export_state::ExportState;

/// Handles shared by the jobs and the requests of a process.
pub struct Shared {
    pub pool: Pool,
    pub index: Index,
    pub crate_store: CrateStore,
    pub wakeups: Wakeups,
    pub completions: Completions,
    /// None without `--index-export`.
    pub exporting: Option<Exporting>,
}

/// Where the index is exported to, and where its state is noted.
pub struct Exporting {
    pub destination: Destination,
    pub state: ExportState,
}

/// What exports the index; None without `--index-export`.
pub fn exporting(
    options: &IndexExportOptions,
    crate_store: &CrateStoreOptions,
) -> Result<Option<Exporting>, CommandError> {
    let destination = index_export(options, crate_store)?;
    Ok(destination.map(|destination| Exporting { destination, state: ExportState::default() }))
}

/// How the mirror of an index remote is kept up to date.
pub struct Following {
    /// The interval between fetches.
    pub poll: Duration,
    /// The config.json of the process that serves.
    pub config_json: Option<ConfigJson>,
}

/// The running threads.
pub struct Workers {
    running: Option<Running>,
    listener: Option<Listener>,
    schedules: Vec<Scheduled>,
    /// Stopped last, because requests may wait for it.
    follower: Option<Follower>,
}

impl Workers {
    /// Starts the listener, and the workers if this process runs jobs. `requests` is the number of connections reserved for
    /// requests.
    pub fn start(
        storage: &Storage,
        shared: &Shared,
        takes_jobs: Option<&WorkOptions>,
        requests: u32,
        following: Following,
    ) -> Result<Self, CommandError> {
        let Shared { pool, index, crate_store, wakeups, completions, exporting } = shared;
        let registry = jobs::registry()?;
        let queues = registry.queues();
        let allowed = takes_jobs.map(|options| options.webhook_allow.clone()).unwrap_or_default();
        let mail = takes_jobs.and_then(|options| options.email.both());
        let smtp = mail.map(|(server, from)| Smtp::new(server, from));
        let environment = Environment {
            index: index.clone(),
            crate_store: crate_store.clone(),
            webhooks: Guarded::new(allowed),
            smtp,
            index_export: exporting.as_ref().map(|exporting| exporting.destination.clone()),
        };
        let runner =
            Runner::new(registry, environment, pool.clone(), worker_name(), wakeups.clone(), completions.clone());
        // One more for the listener, and one for each schedule.
        let for_jobs = takes_jobs.map_or(0, |_| runner.connections() + 5) + 1;
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
        let (server, wakeups, completions) = (storage.checked_session(), wakeups.clone(), completions.clone());
        let (listener, follower) = match index.remote() {
            None => (Listener::start_with(server, &queues, wakeups, completions, None)?, None),
            Some(remote) => {
                let Following { poll, config_json } = following;
                let (mirror, its_remote) = (index.clone(), remote.clone());
                let prepare = move || prepare_mirror(&mirror, &its_remote, config_json.as_ref());
                let follower = Follower::start(index, remote, pool, poll, prepare)?;
                let remote = remote.clone();
                let handler = ChannelHandler {
                    channel: HEAD_CHANNEL,
                    handle: Box::new(move |_| remote.fetch_requests().request()),
                };
                (Listener::start_with(server, &queues, wakeups, completions, Some(handler))?, Some(follower))
            }
        };
        let mut schedules = vec![bitmaps::start(index)?];
        if let Some(options) = takes_jobs {
            schedules.extend(verifying::start((pool, index, crate_store), options.verify_interval)?);
            schedules.push(tidying::start((pool, crate_store), options.quarantine_retention)?);
            schedules.push(analysing::start(pool, crate_store)?);
            schedules.push(describing::start(pool, &shared.completions)?);
            schedules.extend(advisories::start(storage, (pool, index.git()), &options.advisories)?);
            schedules.push(release_sets::start(pool, crate_store)?);
            if let Some(Exporting { destination, state }) = exporting {
                let key = destination.key();
                schedules.push(exporting::start((pool, index), &shared.completions, key, state.clone())?);
            }
            schedules.push(webhooks::start((pool, index), &shared.completions, options.history_retention)?);
        }
        Ok(Self { running, listener: Some(listener), schedules, follower })
    }

    /// The state of the workers, if this process runs jobs.
    pub fn view(&self) -> Option<WorkersView> {
        self.running.as_ref().map(Running::view)
    }

    /// Stops after the current batch.
    pub fn stop(mut self) {
        drop(self.listener.take());
        self.schedules.drain(..).for_each(Scheduled::stop);
        if let Some(running) = self.running.take() {
            running.stop();
        }
        drop(self.follower.take());
    }
}

/// The name of this process in job rows and database sessions.
pub fn worker_name() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    format!("{}:{}", host.to_string_lossy(), std::process::id())
}
