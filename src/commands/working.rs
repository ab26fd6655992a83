//! The part of a process that takes jobs: runner and listener.

use super::{CommandError, Storage};
use crate::database::Pool;
use crate::index::Index;
use crate::jobs::{self, Environment};
use crate::queue::listener::Listener;
use crate::queue::{Completions, Runner, Running, Wakeups};

/// Workers at work, and an ear for other processes.
pub(super) struct Working {
    running: Option<Running>,
    listener: Option<Listener>,
}

impl Working {
    /// Starts the listener, and the workers unless another process has them.
    pub(super) fn start(
        storage: &Storage,
        pool: &Pool,
        index: &Index,
        wakeups: &Wakeups,
        completions: &Completions,
        takes_jobs: bool,
    ) -> Result<Self, CommandError> {
        let registry = jobs::registry()?;
        let queues = registry.queues();
        let running = if takes_jobs {
            let environment = Environment { index: index.clone() };
            let runner =
                Runner::new(registry, environment, pool.clone(), worker_name(), wakeups.clone(), completions.clone());
            Some(runner.start()?)
        } else {
            None
        };
        let listener = Listener::start(&storage.database_url, &queues, wakeups.clone(), completions.clone())?;
        Ok(Self { running, listener: Some(listener) })
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
