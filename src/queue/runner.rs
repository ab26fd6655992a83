//! The runner: performs jobs on the caller's thread or on worker threads.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::connection::ConnectionSource;
use super::cycle::Cycle;
use super::inner::Inner;
use super::outage_log::OutageLog;
use super::record::Drained;
use super::registry::{Registry, Workers};
use super::runner_error::RunnerError;
use super::settings::Settings;
use super::slot::Slot;
use super::wakeup::{Completions, Wakeups};
use super::worker_pool::WorkerPool;
use super::workers_view::WorkersView;
use super::{helper, sweep, watch, worker};

/// Performs the jobs of a registry.
pub struct Runner<Env> {
    inner: Arc<Inner<Env>>,
}

/// Why a runner could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "the queue needs {needed} connections, one for each of {workers} workers and two for the watch and the sweep, and \
         only {capacity} are allowed: allow more connections or register fewer workers"
    )]
    TooFewConnections { needed: usize, workers: usize, capacity: usize },
    #[error("cannot start a thread")]
    Thread(#[from] std::io::Error),
}

impl<Env: Send + Sync + 'static> Runner<Env> {
    /// `worker` names this process in rows and sessions.
    pub fn new(
        registry: Registry<Env>,
        environment: Env,
        source: impl ConnectionSource,
        worker: impl Into<String>,
        wakeups: Wakeups,
        completions: Completions,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                registry,
                environment,
                source: Box::new(source),
                wakeups,
                completions,
                worker: worker.into(),
                settings: Settings::default(),
                pool: WorkerPool::default(),
                outages: OutageLog::default(),
            }),
        }
    }

    /// Replaces the default settings.
    pub fn with_settings(mut self, settings: Settings) -> Self {
        // Not shared before it is started.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.settings = settings;
        }
        self
    }

    /// The number of connections that a started runner keeps: one for each worker, one for the watch, one for the sweep.
    pub fn connections(&self) -> usize {
        worker_queues(&self.inner.registry).len() + 2
    }

    /// Runs every due job on this thread and returns when none is left. Jobs in backoff stay where they are. Time limits
    /// are not enforced, since no watch runs.
    pub fn drain(&self) -> Result<Drained, RunnerError> {
        let inner = &self.inner;
        let mut connection = inner.source.connect().map_err(RunnerError::Connect)?;
        let mut drained = Drained::default();
        let unwatched = Slot::default();
        for queue in inner.registry.queues() {
            while let Cycle::Worked { drained: more, .. } = inner.cycle(&mut *connection, queue, &unwatched)? {
                drained.done.extend(more.done);
                drained.failed.extend(more.failed);
                drained.recovered += more.recovered;
            }
        }
        Ok(drained)
    }

    /// Starts the workers of every queue, the watch over their time limits, and the sweep.
    pub fn start(self) -> Result<Running, StartError> {
        let inner = self.inner;
        let queues = worker_queues(&inner.registry);
        if let Some(capacity) = inner.source.capacity() {
            let (workers, needed) = (queues.len(), queues.len() + 2);
            if capacity < needed {
                return Err(StartError::TooFewConnections { needed, workers, capacity });
            }
        }
        let stop = {
            let inner = Arc::clone(&inner);
            Box::new(move || {
                inner.pool.stop();
                inner.wakeups.wake_all();
                inner.pool.wait_for_all(inner.settings.database_timeout);
            })
        };
        // From here on an early return stops the threads that were started.
        let view = {
            let inner = Arc::clone(&inner);
            let queues = inner.registry.queues();
            WorkersView::new(move || queues.iter().map(|queue| inner.pool.count(queue)).collect())
        };
        let mut running = Running { watch: None, stop: Some(stop), view };
        for queue in queues {
            worker::start(&inner, queue)?;
        }
        helper::start(&inner, "sweep", sweep::keep_sweeping)?;
        running.watch = Some(std::thread::Builder::new().name("watch".to_owned()).spawn(move || watch::watch(&inner))?);
        Ok(running)
    }
}

/// Every queue, once for each of its workers in this process.
fn worker_queues<Env: 'static>(registry: &Registry<Env>) -> Vec<&'static str> {
    let count = |queue: &str| match registry.workers_of(queue) {
        Workers::OneInAll => 1,
        Workers::PerProcess(count) => count.get(),
    };
    registry.queues().into_iter().flat_map(|queue| vec![queue; count(queue)]).collect()
}

/// Running worker threads. Dropping it stops them.
pub struct Running {
    watch: Option<JoinHandle<()>>,
    stop: Option<Box<dyn FnOnce() + Send + Sync>>,
    view: WorkersView,
}

impl Running {
    /// A view of the workers, for health checks.
    pub fn view(&self) -> WorkersView {
        self.view.clone()
    }

    /// Waits until every worker has finished its current batch. A job that hangs is cut off at its time limit and not
    /// waited for after that.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
        if let Some(watch) = self.watch.take() {
            // A panic of the thread was already reported by the panic hook.
            let _ = watch.join();
        }
    }
}
