//! Who listens to the measurements: Prometheus, chosen here and nowhere else.

use std::net::TcpListener;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

use super::server::{Server, Site};
use crate::database::Pool;
use crate::jobs;
use crate::process::CommandError;
use crate::queue::measures;
use crate::web::health::Health;
use crate::web::limits::bounds;
use crate::web::metrics::Metrics;
use crate::web::{self, TrustedProxies};

/// Upper bounds of the histograms of times, in seconds: from the fastest job to the longest time limit.
const SECONDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Upper bounds of the sizes of batches.
const JOBS: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0];
/// How often samples are put into their buckets; until then each takes memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// Connections to the database: one, for what is read there.
pub const CONNECTIONS: u32 = 1;

/// Connections of those who read them.
const READERS: u32 = 64;

/// Makes this process keep its measurements.
pub fn install(pool: &Pool) -> Result<Metrics, CommandError> {
    let failed = |error| CommandError::while_doing("metrics can't be kept", error);
    let handle = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(measures::BATCH_JOBS.to_owned()), &JOBS))
        .map_err(failed)?
        .install_recorder()
        .map_err(failed)?;
    measures::describe();
    bounds::describe();
    std::thread::Builder::new().name("metrics".to_owned()).spawn({
        let handle = handle.clone();
        move || {
            loop {
                std::thread::sleep(UPKEEP);
                handle.run_upkeep();
            }
        }
    })?;
    Ok(Metrics::new(handle, pool.clone(), jobs::registry()?.kinds())?)
}

/// Serves them and the process's health, with connections and threads that requests to the registry can't use up.
pub fn serve(listener: TcpListener, metrics: Metrics, health: Health) -> Result<Server, CommandError> {
    tracing::info!("metrics are at http://{}/metrics", listener.local_addr()?);
    let site = Site {
        router: web::operator_router(metrics, health),
        tls: None,
        max_connections: READERS,
        per_address: READERS,
        trusted_proxies: TrustedProxies::default(),
        threads: Some(1),
    };
    Server::start(site, listener)
}
