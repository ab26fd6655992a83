//! `supercargo worker`.

use std::time::Duration;

use crate::config::WorkerOptions;
use crate::index::View;
use crate::process::data_dir::permissions::refuse_root_in_a_directory_of_others;
use crate::process::resources::Resources;
use crate::process::server::Listener;
use crate::process::signals::Signals;
use crate::process::storage::{StoreRole, database_name};
use crate::process::telemetry::MetricsExport;
use crate::process::workers::{Following, Shared, Workers, exporting};
use crate::process::{CommandError, Storage};
use crate::process::{memory, metrics};
use crate::queue::{Completions, Wakeups};
use crate::web::health::Health;

/// Time that metrics requests have to finish after SIGTERM.
const GRACE: Duration = Duration::from_secs(1);
/// Database connections besides those for jobs: one for health checks.
const OTHER_CONNECTIONS: u32 = 1 + metrics::CONNECTIONS;

pub(super) fn work(options: &WorkerOptions) -> Result<(), CommandError> {
    memory::give_back_large_blocks();
    refuse_root_in_a_directory_of_others(&options.storage)?;
    let signals = Signals::block()?;
    options.check().map_err(CommandError::new)?;
    let metrics_listener = options.work.metrics_listen.as_ref();
    let metrics_listener = metrics_listener.map(|address| Listener::bind(address, "--metrics-listen")).transpose()?;
    let storage = Storage::attach(&options.storage)?;
    storage.refuse_shared_sessions()?;
    let index = storage.index_or_mirror(&options.storage, &options.index)?;
    // The directory exists now.
    storage.remember_primary();
    let pool = storage.pool(&options.storage);
    let crate_store = storage.crate_store(&options.crate_store, StoreRole::Reads)?;
    let health = Health::new(pool.clone(), View::new(index.clone()), crate_store.clone());
    let resources = Resources::of(&storage, &crate_store, None);
    let installed = match &metrics_listener {
        None if options.work.otlp.settings().0.is_none() => None,
        _ => Some(metrics::install(&pool, resources)?),
    };
    let metrics_export =
        installed.as_ref().map(|metrics| MetricsExport::start(&options.work.otlp, metrics)).transpose()?;
    let measuring = match (metrics_listener, installed) {
        (Some(listener), Some(metrics)) => Some(metrics::serve(listener, metrics, health.clone())?),
        _ => None,
    };
    let exporting = exporting(&options.work.index_export, &options.crate_store)?;
    if let Some(exporting) = &exporting {
        health.attend_export(exporting.state.clone());
    }
    let (wakeups, completions) = (Wakeups::default(), Completions::default());
    let shared = Shared { pool, index, crate_store, wakeups, completions, exporting };
    let following = Following { poll: options.index.index_poll_interval, config_json: None };
    let working = Workers::start(&storage, &shared, Some(&options.work), OTHER_CONNECTIONS, following)?;
    if let Some(workers) = working.view() {
        health.attend(workers);
    }
    let (data_dir, database) = (storage.data_dir.path().display(), database_name(&options.storage));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %data_dir, database, "running jobs");
    let signal = signals.wait()?;
    health.stop();
    tracing::info!("{signal}: shutting down after current jobs; signal again to exit now");
    signals.exit_at_the_next()?;
    working.stop();
    let measured = measuring.map_or(Ok(()), |server| server.stop(GRACE));
    if let Some(metrics_export) = metrics_export.flatten() {
        metrics_export.close();
    }
    storage.close().and(measured)
}
