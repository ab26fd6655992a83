//! The Prometheus recorder for metrics, and the server for `--metrics-listen`.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

use super::resources::{self, Resources};
use super::server::{Listener, Server, Site};
use super::telemetry;
use crate::database::{Pool, primary};
use crate::jobs;
use crate::process::CommandError;
use crate::queue::measures;
use crate::web::bounds;
use crate::web::export_state::ExportState;
use crate::web::health::Health;
use crate::web::index::git::fetch_metrics;
use crate::web::metrics::Metrics;
use crate::web::{self, TrustedProxies};

/// Histogram buckets of durations, in seconds: from the fastest job to the longest time limit.
const SECONDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Histogram buckets of batch sizes.
const JOBS: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0];
/// How often samples are sorted into buckets; until then each takes memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// Database connections for metrics that are read from the database.
pub const CONNECTIONS: u32 = 1;

/// Client connections of the metrics server.
const READERS: u32 = 64;

/// Installs the recorder in this process.
pub fn install(pool: &Pool, resources: Resources) -> Result<Metrics, CommandError> {
    let failed = |error| CommandError::while_doing("cannot record metrics", error);
    let handle = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(measures::BATCH_JOBS.to_owned()), &JOBS))
        .map_err(failed)?
        .install_recorder()
        .map_err(failed)?;
    measures::describe();
    bounds::describe();
    web::measures::describe();
    ExportState::describe();
    fetch_metrics::describe();
    resources::describe();
    primary::describe();
    telemetry::describe();
    std::thread::Builder::new().name("metrics".to_owned()).spawn({
        let handle = handle.clone();
        move || {
            loop {
                std::thread::sleep(UPKEEP);
                handle.run_upkeep();
            }
        }
    })?;
    Ok(Metrics::new(handle, pool.clone(), jobs::registry()?.kinds(), resources.samples(pool.clone()))?)
}

/// Serves metrics and health with connections and a thread of their own, so that requests to the registry cannot exhaust
/// them.
pub fn serve(listener: Listener, metrics: Metrics, health: Health) -> Result<Server, CommandError> {
    tracing::info!("metrics are at http://{}/metrics", listener.authority());
    let site = Site {
        name: "metrics",
        router: web::operator_router(metrics, health),
        fast_path: None,
        tls: None,
        max_connections: READERS,
        per_address: READERS,
        trusted_proxies: TrustedProxies::default(),
        threads: Some(1),
    };
    Server::start(site, listener)
}
