//! Options of `serve`.

use std::time::Duration;

use clap::Args;

use super::base_url::base_url;
use super::durations::{duration, pause};
use super::listen_address::{ListenAddress, listen_address};
use super::{
    AccessOptions, CorsOptions, CrateStoreOptions, DownloadLogOptions, DownloadRedirectOptions, HttpOptions,
    IndexOptions, PackageLimitOptions, PolicyOptions, StorageOptions, UpstreamOptions, WorkOptions,
};
use crate::package::Limits;

#[derive(Args, Debug, Clone)]
pub struct ServeOptions {
    #[command(flatten)]
    pub storage: StorageOptions,
    /// Listen address and port; a port alone means 127.0.0.1, and :PORT all addresses
    ///
    /// The address may be a host name: the registry then listens on those of its addresses that this machine has, and
    /// its URL has the name. Port 0 picks a free port.
    #[arg(
        long,
        help_heading = "Network",
        env = "SUPERCARGO_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:2274",
        value_parser = listen_address
    )]
    pub listen: ListenAddress,
    /// URL under which clients reach the registry [default: the listen address]
    ///
    /// It is written to config.json and to every Cargo.lock that uses the registry: choose one that will not change. If
    /// it has a path, the registry is served under that path as well as at the root, so that a reverse proxy may pass
    /// the path on or remove it.
    #[arg(long, help_heading = "Network", env = "SUPERCARGO_PUBLIC_URL", value_name = "URL", value_parser = base_url)]
    pub public_url: Option<String>,
    /// Further URL, such as a former one, by which crates may refer to this registry; repeatable
    #[arg(long = "url-alias", hide = true, env = "SUPERCARGO_URL_ALIASES", value_name = "URL", value_delimiter = ',', value_parser = base_url)]
    pub url_aliases: Vec<String>,
    #[command(flatten)]
    pub http: HttpOptions,
    #[command(flatten)]
    pub access: AccessOptions,
    #[command(flatten)]
    pub cors: CorsOptions,
    #[command(flatten)]
    pub policy: PolicyOptions,
    #[command(flatten)]
    pub package_limits: PackageLimitOptions,
    #[command(flatten)]
    pub index: IndexOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
    #[command(flatten)]
    pub download_redirect: DownloadRedirectOptions,
    #[command(flatten)]
    pub upstream: UpstreamOptions,
    #[command(flatten)]
    pub download_log: DownloadLogOptions,
    /// Do not run jobs; `supercargo worker` runs them
    #[arg(long, help_heading = "Jobs", env = "SUPERCARGO_NO_WORKER")]
    pub no_worker: bool,
    #[command(flatten)]
    pub work: WorkOptions,
    /// How long a publish or yank waits until the index shows it
    ///
    /// Cargo checks the index immediately and then every second, so that a publish is a second faster if its version is
    /// visible when the response arrives. After this time the response says that the job is queued.
    #[arg(long, hide = true, env = "SUPERCARGO_PUBLISH_WAIT", value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub publish_wait: Duration,
    /// Number of pending jobs of the index above which publishes and yanks are refused; 0 for none
    ///
    /// They get status 503 before their bodies are read, until some of the jobs are done. Jobs become that many only if
    /// they cannot be run, as in an outage of the index remote, or if no process runs them.
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_PENDING_JOBS", value_name = "N", default_value_t = 5000)]
    pub max_pending_jobs: u32,
    /// How often download counts are written to the database
    ///
    /// Counts are kept in memory until then. A normal stop writes them; a killed process loses them.
    #[arg(long, hide = true, env = "SUPERCARGO_DOWNLOAD_FLUSH_INTERVAL", value_name = "DURATION", default_value = "10s", value_parser = pause)]
    pub download_flush_interval: Duration,
    /// Time that in-flight requests have to finish after SIGTERM
    #[arg(long, hide = true, env = "SUPERCARGO_SHUTDOWN_GRACE", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub shutdown_grace: Duration,
    /// Remove the data directory at the end, and do not sync files to disk (for `supercargo with`)
    #[arg(long, hide = true)]
    pub throwaway: bool,
}

impl ServeOptions {
    /// Refuses options that do not go together.
    pub fn check(&self) -> Result<(), String> {
        self.index.check()?;
        self.http.check()?;
        self.cors.check()?;
        self.upstream.check()?;
        self.download_log.check()?;
        self.work.advisories.check(&self.upstream.names())?;
        self.download_redirect.check(self.crate_store.crate_store.as_ref(), self.access.auth_required)?;
        self.work.index_export.check(self.crate_store.crate_store.as_ref(), self.access.auth_required)?;
        self.crate_store.check(self.work.index_export.index_export.is_some())
    }

    /// The limits of a publish.
    pub fn limits(&self) -> Limits {
        self.package_limits.limits()
    }
}
