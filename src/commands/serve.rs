//! `supercargo serve`.
//!
//! Start order: sockets (so that a port in use is noticed first), data directory, database, index, workers, HTTP server.
//! Shutdown order: requests, the current batch of jobs, the database.

mod settings;

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use self::settings::{Connections, Place, settings};
pub(super) use self::settings::{admission, sign_in_ways};
use crate::config::ServeOptions;
use crate::database::Pool;
use crate::index::{ConfigJson, View};
use crate::process::announcement::{announce, retract};
use crate::process::data_dir::{self, permissions};
use crate::process::download_counts::Counting;
use crate::process::download_log::Logging;
use crate::process::memory;
use crate::process::metrics;
use crate::process::resources::Resources;
use crate::process::server::{Listener, Server, Site};
use crate::process::setup::{config_json, ensure_admin, ensure_config_json, refuse_lost_index};
use crate::process::signals::Signals;
use crate::process::storage::{StoreRole, database_name};
use crate::process::telemetry::MetricsExport;
use crate::process::tls::Certificate;
use crate::process::workers::{Following, Shared, Workers, exporting};
use crate::process::{CommandError, Storage};
use crate::queue::{Completions, Wakeups};
use crate::web::health::Health;
use crate::web::index::{GitService, IndexState, Limits};
use crate::web::{self, App, StatusStreams};

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What a request for the metrics may still take when nothing is left of the grace period.
const LAST_SCRAPE: Duration = Duration::from_secs(1);

pub(super) fn serve(options: &ServeOptions) -> Result<(), CommandError> {
    run(options).map_err(|error| data_dir::name_full_disk(&options.storage, error))
}

fn run(options: &ServeOptions) -> Result<(), CommandError> {
    memory::give_back_large_blocks();
    permissions::refuse_root_in_a_directory_of_others(&options.storage)?;
    let mut signals = Signals::block()?;
    options.check().map_err(CommandError::new)?;
    admission(&options.access, options.throwaway)?;
    sign_in_ways(&options.access)?;
    let certificate = Certificate::load(&options.http)?;
    if certificate.is_some() {
        signals = signals.with_hangup()?;
    }
    let listener = Listener::bind(&options.listen, "--listen")?;
    let metrics_listener = options.work.metrics_listen.as_ref();
    let metrics_listener = metrics_listener.map(|address| Listener::bind(address, "--metrics-listen")).transpose()?;
    if options.throwaway {
        data_dir::refuse_to_remove(&options.storage.data_dir()?)?;
    }
    let storage = Storage::open(&options.storage, options.throwaway)?;
    let directory = storage.data_dir.clone();
    let served = serve_from(
        options,
        &storage,
        Listeners { requests: listener, metrics: metrics_listener },
        certificate,
        signals,
    );
    let closed = storage.close();
    if options.throwaway {
        std::fs::remove_dir_all(directory.path())?;
    }
    served.and(closed)
}

fn serve_from(
    options: &ServeOptions,
    storage: &Storage,
    listeners: Listeners,
    certificate: Option<Certificate>,
    signals: Signals,
) -> Result<(), CommandError> {
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let base_url = options.public_url.clone().unwrap_or_else(|| local_url(scheme, &listeners.requests));
    let has_new_admin =
        storage.is_embedded() && ensure_admin(&mut storage.connect()?, &storage.data_dir.admin_token_file())?;
    let listen = (listeners.requests.shown(), listeners.metrics.as_ref().map(Listener::shown));
    let config_json = config_json(&base_url, options.access.auth_required);
    let shared = shared(options, storage, &config_json)?;
    let place = Place { base_url: &base_url, scheme, config_json };
    let serving = Serving::start(options, storage, place, shared, listeners, certificate.as_ref())?;
    log_start(options, storage, listen, has_new_admin);
    announce(storage, &base_url, options)?;
    let signal = wait_for_shutdown(&signals, certificate.as_ref())?;
    tracing::info!("{signal}: shutting down after current requests and jobs; signal again to exit now");
    // A temporary registry must clean up, and its signal comes from the death of its parent, which may be sent twice.
    if !options.throwaway {
        signals.exit_at_the_next()?;
    }
    serving.stop(storage, options.shutdown_grace)
}

/// Opens what requests and jobs share.
fn shared(options: &ServeOptions, storage: &Storage, config_json: &ConfigJson) -> Result<Shared, CommandError> {
    let index = storage.index_or_mirror(&options.storage, &options.index)?;
    if index.remote().is_none() {
        refuse_lost_index(&index, &mut storage.connect()?)?;
        ensure_config_json(&index, &options.index.index_branch, config_json)?;
    }
    let crate_store = storage.crate_store(&options.crate_store, StoreRole::Stores)?;
    let pool = storage.pool(&options.storage);
    let exporting = exporting(&options.work.index_export, &options.crate_store)?;
    let (wakeups, completions) = (Wakeups::default(), Completions::default());
    Ok(Shared { pool, index, crate_store, wakeups, completions, exporting })
}

/// What runs until the registry is stopped.
struct Serving {
    server: Server,
    metrics: Option<Server>,
    status_streams: StatusStreams,
    health: Health,
    counting: Counting,
    logging: Logging,
    working: Workers,
    metrics_export: Option<MetricsExport>,
    pool: Pool,
}

impl Serving {
    fn start(
        options: &ServeOptions,
        storage: &Storage,
        place: Place<'_>,
        shared: Shared,
        listeners: Listeners,
        certificate: Option<&Certificate>,
    ) -> Result<Self, CommandError> {
        let metrics = metrics::install(&shared.pool, Resources::of(storage, &shared.crate_store, certificate))?;
        let metrics_export = MetricsExport::start(&options.work.otlp, &metrics)?;
        let connections = Connections::of(options);
        let settings = settings(options, storage, &place, &connections, &listeners.requests)?;
        let takes_jobs = (!options.no_worker).then_some(&options.work);
        let following = Following { poll: options.index.index_poll_interval, config_json: Some(place.config_json) };
        let requests = options.storage.database_pool_size + metrics::CONNECTIONS;
        let working = Workers::start(storage, &shared, takes_jobs, requests, following)?;
        let Shared { pool, index, crate_store, wakeups, completions, exporting } = shared;
        let clones = options.http.max_clones.map(|clones| Limits::with_clones(clones.into()));
        let git = GitService::with_limits(&index, clones.unwrap_or_default());
        let index_state = IndexState { git, view: View::new(index) };
        let app = App::new(pool.clone(), crate_store, index_state, wakeups, completions, settings);
        if let Some(workers) = working.view() {
            app.health.attend(workers);
        }
        if let Some(exporting) = exporting {
            app.health.attend_export(exporting.state);
        }
        let health = app.health.clone();
        let counting = Counting::start(app.download_counts.clone(), pool.clone(), options.download_flush_interval)?;
        let logging = Logging::start(app.settings.download_log.clone(), pool.clone())?;
        let (registry, metrics) = match listeners.metrics {
            Some(listener) => (web::registry(app, None), Some(metrics::serve(listener, metrics, health.clone())?)),
            None => (web::registry(app, Some(metrics)), None),
        };
        let tls = certificate.map(Certificate::server_config).transpose()?;
        let site = Site {
            name: "registry",
            router: registry.router,
            fast_path: registry.fast_path,
            tls: tls.map(|config| (config, web::https_only::router(place.base_url.to_owned()))),
            max_connections: connections.max,
            per_address: connections.per_address,
            trusted_proxies: connections.trusted_proxies,
            threads: None,
        };
        let server = Server::start(site, listeners.requests)?;
        Ok(Self {
            server,
            metrics,
            status_streams: connections.status_streams,
            health,
            counting,
            logging,
            working,
            metrics_export,
            pool,
        })
    }

    /// Ends requests, then jobs, then the metrics. Requests to both servers have the grace period together.
    fn stop(self, storage: &Storage, grace: Duration) -> Result<(), CommandError> {
        let until = Instant::now() + grace;
        self.health.stop();
        let said = retract(storage);
        self.status_streams.stop();
        let served = self.server.stop(grace);
        self.counting.stop();
        self.logging.stop();
        self.working.stop();
        let left = until.saturating_duration_since(Instant::now()).max(LAST_SCRAPE.min(grace));
        let measured = self.metrics.map_or(Ok(()), |server| server.stop(left));
        if let Some(metrics_export) = self.metrics_export {
            metrics_export.close();
        }
        self.pool.close();
        served.and(said).and(measured)
    }
}

/// The listening sockets.
struct Listeners {
    requests: Listener,
    metrics: Option<Listener>,
}

/// Waits for SIGTERM or SIGINT; SIGHUP reloads the certificate.
fn wait_for_shutdown(signals: &Signals, certificate: Option<&Certificate>) -> Result<Signal, CommandError> {
    let watch = certificate.map(Certificate::watch).transpose()?;
    loop {
        match (signals.wait()?, &watch) {
            (Signal::SIGHUP, Some(watch)) => watch.reload(),
            (signal, _) => return Ok(signal),
        }
    }
}

/// The URL for clients on this machine.
fn local_url(scheme: &str, listener: &Listener) -> String {
    let url = format!("{scheme}://{}", listener.authority());
    if listener.is_on_all() {
        tracing::warn!(
            "listening on all addresses, but config.json has {url}: set --public-url to the URL that clients use"
        );
    }
    url
}

/// Logs what runs here, and after the first start where the admin's token is, but not the token.
fn log_start(
    options: &ServeOptions,
    storage: &Storage,
    (listen, metrics_listen): (String, Option<String>),
    has_new_admin: bool,
) {
    let metrics_listen = metrics_listen.map(tracing::field::display);
    let (data_dir, database) = (storage.data_dir.path().display(), database_name(&options.storage));
    tracing::info!(version = VERSION, %listen, metrics_listen, %data_dir, database, "started supercargo");
    if has_new_admin {
        let token_file = storage.data_dir.admin_token_file();
        tracing::info!(token_file = %token_file.display(), "created the user admin, whose token is in this file");
    }
}
