//! A worker process of the model: works until it is killed.

use std::error::Error;
use std::fs::OpenOptions;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use diesel::PgConnection;
use diesel::prelude::*;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use supercargo::queue::listener::Listener;
use supercargo::queue::{Completions, ConnectionSource, Lend, Runner, Settings, Wakeups, Workers};
use tracing_subscriber::EnvFilter;

use crate::kinds::{self, QUEUES, World};
use crate::locks;

/// The parameters of a worker, as JSON in the variable [`VARIABLE`].
#[derive(Serialize, Deserialize)]
pub struct Orders {
    pub database: String,
    pub directory: PathBuf,
    pub name: String,
    /// The number of workers of each queue; 0: one in the installation.
    pub workers: [usize; QUEUES.len()],
    pub gap: Duration,
    pub hold_skips_locked: bool,
}

/// The binary is a worker when this is set.
pub const VARIABLE: &str = "QUEUE_MODEL_WORKER";

struct Source(Arc<Orders>);

struct Own(PgConnection);

impl ConnectionSource for Source {
    fn connect(&self) -> Result<Box<dyn Lend>, Box<dyn Error + Send + Sync>> {
        locks::open(&self.0.directory)?;
        Ok(Box::new(Own(PgConnection::establish(&self.0.database)?)))
    }
}

impl Lend for Own {
    fn lend(&mut self, with: &mut dyn FnMut(&mut PgConnection)) {
        with(&mut self.0);
    }
}

pub fn work(orders: &str) -> Result<std::convert::Infallible, Box<dyn Error>> {
    // No worker outlives the test.
    set_pdeathsig(Signal::SIGKILL)?;
    let orders: Arc<Orders> = Arc::new(serde_json::from_str(orders)?);
    let trace = OpenOptions::new().append(true).create(true).open(orders.directory.join("trace"))?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("warn,supercargo::queue::cycle=debug"))
        .with_ansi(false)
        .with_writer(Arc::new(trace))
        .init();
    let settings = Settings {
        gap: orders.gap,
        #[cfg(any(debug_assertions, feature = "fail-points"))]
        hold_skips_locked: orders.hold_skips_locked,
        outage_backoff: Duration::from_millis(200),
        poll: Duration::from_millis(100),
        sweep_every: Duration::from_secs(1),
        sweep_page: 7,
        ..Settings::default()
    };
    let mut registry = kinds::registry()?;
    for (queue, count) in QUEUES.into_iter().zip(orders.workers) {
        let workers = NonZeroUsize::new(count).map_or(Workers::OneInAll, Workers::PerProcess);
        registry = registry.workers(queue, workers)?;
    }
    let world = World::open(&orders.directory, &orders.name)?;
    let source = Source(Arc::clone(&orders));
    let (wakeups, completions) = (Wakeups::default(), Completions::default());
    let _listener = Listener::start(&orders.database, &QUEUES, wakeups.clone(), completions.clone())?;
    let runner = Runner::new(registry, world, source, orders.name.clone(), wakeups, completions);
    let _running = runner.with_settings(settings).start()?;
    loop {
        std::thread::park();
    }
}
