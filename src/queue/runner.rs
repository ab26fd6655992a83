//! What performs jobs: on the caller's thread, or on threads of its own.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::connection::ConnectionSource;
use super::cycle::Turn;
use super::registry::{Registry, Workers};
use super::settings::Settings;
use super::worker_pool::{Slot, WorkerPool};
use super::workers_view::WorkersView;
use super::{Completions, JobId, Wakeups, sweep, worker_pool};

/// Performs the jobs of a registry.
pub struct Runner<Env> {
    inner: Arc<Inner<Env>>,
}

pub(super) struct Inner<Env> {
    pub registry: Registry<Env>,
    pub environment: Env,
    pub source: Box<dyn ConnectionSource>,
    pub wakeups: Wakeups,
    pub completions: Completions,
    pub worker: String,
    pub settings: Settings,
    pub crew: WorkerPool,
}

/// What a pass over all due jobs did.
#[derive(Debug, Default)]
pub struct Drained {
    /// Jobs that are done.
    pub done: Vec<JobId>,
    /// Jobs that failed, with the text that was written to their rows.
    pub failed: Vec<(JobId, String)>,
}

/// Why a turn of the runner came to nothing. The rows are as they were, except for the counted start.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    #[error("no connection to the database: {0}")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the queue's database failed")]
    Database(#[from] diesel::result::Error),
    #[error("this worker was cut off, and another one stands in its place")]
    CutOff,
    #[error(transparent)]
    Fault(#[from] crate::fault::Fault),
}

/// Why a runner could not be started. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "{needed} connections are needed, one for each of {workers} workers and two to look after them, and there are \
         only {capacity}: allow more connections, or register fewer workers"
    )]
    TooFewConnections { needed: usize, workers: usize, capacity: usize },
    #[error("no thread could be started")]
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
                crew: WorkerPool::default(),
            }),
        }
    }

    /// Other times than the default ones.
    pub fn with_settings(mut self, settings: Settings) -> Self {
        // Nobody else has it before it is started.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.settings = settings;
        }
        self
    }

    /// How many connections it keeps when it is started: one for each worker, and two to look after them.
    pub fn connections(&self) -> usize {
        self.inner.posts().len() + 2
    }

    /// Runs every due job on this thread and returns when none is left. Jobs in backoff stay where they are. Time limits
    /// are not enforced: nobody is there to look at the clock.
    pub fn drain(&self) -> Result<Drained, RunnerError> {
        let inner = &self.inner;
        let mut connection = inner.source.connect().map_err(RunnerError::Connect)?;
        let mut drained = Drained::default();
        let unwatched = Slot::default();
        for queue in inner.registry.queues() {
            while let Turn::Worked(more) = inner.turn(&mut *connection, queue, &unwatched)? {
                drained.done.extend(more.done);
                drained.failed.extend(more.failed);
            }
        }
        Ok(drained)
    }

    /// Starts the workers of every queue, and two threads that look after them: one holds running jobs against their time
    /// limits, the other one sweeps.
    pub fn start(self) -> Result<Running, StartError> {
        let inner = self.inner;
        let posts = inner.posts();
        if let Some(capacity) = inner.source.capacity() {
            let (workers, needed) = (posts.len(), posts.len() + 2);
            if capacity < needed {
                return Err(StartError::TooFewConnections { needed, workers, capacity });
            }
        }
        let stop = {
            let inner = Arc::clone(&inner);
            Box::new(move || {
                inner.crew.stop();
                inner.wakeups.wake();
                inner.crew.wait_for_all(inner.settings.talk_limit);
            })
        };
        // From here on an early return stops what was started.
        let view = {
            let inner = Arc::clone(&inner);
            let queues = inner.registry.queues();
            WorkersView::new(move || queues.iter().map(|queue| inner.crew.count(queue)).collect())
        };
        let mut running = Running { watch: None, stop: Some(stop), view };
        for queue in posts {
            worker_pool::start_worker(&inner, queue)?;
        }
        worker_pool::start_helper(&inner, "sweep", sweep::keep_sweeping)?;
        running.watch =
            Some(std::thread::Builder::new().name("watch".to_owned()).spawn(move || worker_pool::watch(&inner))?);
        Ok(running)
    }
}

impl<Env: 'static> Inner<Env> {
    /// Every queue, once for each of its workers in this process.
    fn posts(&self) -> Vec<&'static str> {
        let count = |queue: &str| match self.registry.workers_of(queue) {
            Workers::OneInAll => 1,
            Workers::PerProcess(count) => count.get(),
        };
        self.registry.queues().into_iter().flat_map(|queue| vec![queue; count(queue)]).collect()
    }
}

/// Worker threads at work. Dropping it stops them.
pub struct Running {
    watch: Option<JoinHandle<()>>,
    stop: Option<Box<dyn FnOnce() + Send + Sync>>,
    view: WorkersView,
}

impl Running {
    /// Who is at work, for whoever looks after it.
    pub fn view(&self) -> WorkersView {
        self.view.clone()
    }

    /// Lets every worker finish the batch it is at, and returns when all have. A job that hangs is cut off when its time
    /// limit is over, and is not waited for after that.
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
