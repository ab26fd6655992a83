//! The state that handlers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use diesel::PgConnection;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::advisory_repository::AdvisoryRepository;
use super::answers::crate_file::DownloadRedirect;
use super::bounds::Bound;
use super::docs::DocsSettings;
use super::docs::kept::KeptDocs;
use super::download_counts::DownloadCounts;
use super::download_log::DownloadLog;
use super::health::Health;
use super::index::IndexState;
use super::known_files::KnownFiles;
use super::limits::backlog::Backlog;
use super::limits::cpu_slots::CpuSlots;
use super::limits::reads::ReadShare;
use super::limits::source_work::SourceWork;
use super::pages::readme_cache::ReadmePages;
use super::sources::Sources;
use super::stage::overlays::Overlays;
use super::upstreams::Upstreams;
use super::{AddressRequests, ApiError, SharedWith, StatusStreams, TrustedProxies, Uploads};
use crate::advisory::draft::Origin;
use crate::config::IdentityProvider;
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::search::Totals;
use crate::jobs::Admission;
use crate::oidc::keys::IssuerKeys;
use crate::oidc::provider::Provider;
use crate::package::{Limits, Policy, RegistryUrls};
use crate::queue::recent::RecentHistory;
use crate::queue::{Completions, Wakeups};
use crate::source::SourceCache;
use crate::{jobs, queue};

/// Requests that run blocking code at the same time. Further ones wait, and hold nothing meanwhile. Reads of the index do
/// not count: they need no database, and continue while all of these wait for it.
const BLOCKING_CALLS: usize = 64;
/// Exchanges of ID tokens, and configurations of trusted publishers, that run at the same time: they may wait for other servers.
const EXCHANGES: usize = 40;
/// Size of all READMEs that are being sent, in KiB.
const READMES: usize = 64 * 1024;
/// How long a request waits to run blocking code.
const BLOCKING_WAIT: Duration = Duration::from_secs(60);

/// The shared state. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    pub pool: Pool,
    pub crate_store: CrateStore,
    pub index: IndexState,
    pub wakeups: Wakeups,
    pub completions: Completions,
    pub settings: Settings,
    pub download_counts: DownloadCounts,
    /// The versions that were downloaded recently.
    pub(super) known_files: KnownFiles,
    /// The release sets that were read recently.
    pub(super) overlays: Overlays,
    /// The recently counted totals of searches.
    pub totals: Totals,
    pub health: Health,
    /// What jobs did in the last day.
    pub recent_history: RecentHistory,
    /// For opening tarballs.
    pub(super) cpu_slots: CpuSlots,
    /// The files of packages.
    pub(super) sources: Sources,
    /// The documentation that was read recently.
    pub(super) docs: KeptDocs,
    /// READMEs that are being sent, in KiB.
    pub(super) readmes: Arc<Semaphore>,
    /// READMEs that were rendered for pages.
    pub(super) readme_pages: ReadmePages,
    /// The keys of the issuers of ID tokens.
    pub(super) issuer_keys: IssuerKeys,
    /// The identity providers.
    pub(super) providers: Vec<Provider>,
    /// Exchanges of ID tokens at the same time. Each may wait for an issuer, and the other requests are not to wait with it.
    pub(super) exchanges: Arc<Semaphore>,
    blocking_calls: Arc<Semaphore>,
    reads: ReadShare,
}

/// The operator's settings.
#[derive(Clone)]
pub struct Settings {
    /// Without a trailing slash.
    pub base_url: String,
    /// The URLs by which crates may refer to this registry.
    pub urls: RegistryUrls,
    pub limits: Limits,
    /// Rules about who may publish what, and how often.
    pub admission: Admission,
    /// Every request needs a token.
    pub auth_required: bool,
    /// The origins whose web pages may read.
    pub shared_with: SharedWith,
    /// Requirements on every package.
    pub policy: Policy,
    /// How long a response waits for its job at most.
    pub publish_wait: Duration,
    /// Proxies whose forwarding headers are trusted.
    pub trusted_proxies: TrustedProxies,
    /// How many concurrent requests a client may have.
    pub address_requests: AddressRequests,
    /// How much memory and disk uploads may use.
    pub uploads: Uploads,
    /// How many jobs of the index may be pending.
    pub backlog: Backlog,
    /// The directory of the cache for the files of packages, and its size in bytes.
    pub source_cache: (PathBuf, u64),
    /// How much of the pages that are dear a client may have.
    pub source_work: SourceWork,
    /// How many clients may follow the status of versions.
    pub status_streams: StatusStreams,
    /// How people sign in on the pages.
    pub sign_in: SignInWays,
    /// Whether users get mail.
    pub sends_mail: bool,
    /// Other registries that are served through this one.
    pub upstreams: Upstreams,
    /// The log of downloads, if there is one.
    pub download_log: DownloadLog,
    /// Where clients get crate files from, if not from here.
    pub download_redirect: Option<DownloadRedirect>,
    /// The documentation of versions.
    pub docs: DocsSettings,
    /// The git repository of the advisories about its crates.
    pub advisories: Option<AdvisoryRepository>,
}

impl Settings {
    /// How others name this registry in advisories.
    pub(in crate::web) fn origin(&self) -> Origin {
        Origin::of(&self.base_url)
    }
}

/// How people sign in on the pages.
#[derive(Clone)]
pub struct SignInWays {
    pub providers: Vec<IdentityProvider>,
    /// With the password that a user has set.
    pub password: bool,
    /// With a token of the user.
    pub token: bool,
}

impl Default for SignInWays {
    fn default() -> Self {
        Self { providers: Vec::new(), password: true, token: true }
    }
}

impl App {
    pub fn new(
        pool: Pool,
        crate_store: CrateStore,
        index: IndexState,
        wakeups: Wakeups,
        completions: Completions,
        settings: Settings,
    ) -> Self {
        let blocking_calls = Arc::new(Semaphore::new(BLOCKING_CALLS));
        let reads = ReadShare::of(&pool);
        let (directory, max_bytes) = settings.source_cache.clone();
        let source_cache = SourceCache::new(crate_store.clone(), directory, max_bytes);
        let sources = Sources::new(source_cache, settings.source_work.clone());
        let issuer_keys = IssuerKeys::default();
        let of = |provider: &IdentityProvider| Provider::new(provider.clone(), issuer_keys.clone());
        let providers = settings.sign_in.providers.iter().map(of).collect();
        settings.upstreams.attend(&pool);
        let health = Health::new(pool.clone(), index.view.clone(), crate_store.clone());
        Self(Arc::new(Parts {
            pool,
            crate_store,
            index,
            wakeups,
            completions,
            settings,
            download_counts: DownloadCounts::default(),
            known_files: KnownFiles::default(),
            overlays: Overlays::default(),
            totals: Totals::default(),
            health,
            recent_history: RecentHistory::default(),
            cpu_slots: CpuSlots::for_processors(),
            sources,
            docs: KeptDocs::default(),
            readmes: Arc::new(Semaphore::new(READMES)),
            issuer_keys,
            providers,
            exchanges: Arc::new(Semaphore::new(EXCHANGES)),
            readme_pages: ReadmePages::default(),
            blocking_calls,
            reads,
        }))
    }

    /// Wakes the workers of this process, or else those of others, after a job was enqueued and committed. A worker that is
    /// not woken finds the job within a second.
    pub fn wake_workers(&self) {
        self.wakeups.wake(jobs::QUEUE);
        if self.wakeups.has_only_worker(jobs::QUEUE) {
            return;
        }
        match self.pool.with(|connection| queue::announce(connection, jobs::QUEUE)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "other processes could not be notified of a job"),
            Err(error) => tracing::debug!(%error, "other processes could not be notified of a job"),
        }
    }

    /// Runs blocking code on a thread of its own.
    pub async fn blocking<R: Send + 'static>(
        &self,
        f: impl FnOnce(&App) -> Result<R, ApiError> + Send + 'static,
    ) -> Result<R, ApiError> {
        let Ok(permit) = timeout(BLOCKING_WAIT, Arc::clone(&self.blocking_calls).acquire_owned()).await else {
            return Err(waited_too_long());
        };
        let permit = permit.map_err(ApiError::internal)?;
        let app = self.clone();
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || {
            let answer = span.in_scope(|| f(&app));
            drop(permit);
            answer
        })
        .await
        .map_err(|error| if error.is_panic() { ApiError::after_panic() } else { ApiError::internal(error) })?
    }

    /// Runs blocking code that may wait for another server. Few of these run at the same time, so that the others find threads.
    pub async fn waiting_for_others<R: Send + 'static>(
        &self,
        f: impl FnOnce(&App) -> Result<R, ApiError> + Send + 'static,
    ) -> Result<R, ApiError> {
        let Ok(permit) = timeout(BLOCKING_WAIT, Arc::clone(&self.exchanges).acquire_owned()).await else {
            return Err(waited_too_long());
        };
        let permit = permit.map_err(ApiError::internal)?;
        let answer = self.blocking(f).await;
        drop(permit);
        answer
    }

    /// Runs `f` with a database connection on a thread that may block. Requests that only read use a
    /// share of the connections.
    pub async fn with_connection<R: Send + 'static, E: Into<ApiError>>(
        &self,
        f: impl FnOnce(&mut PgConnection) -> Result<R, E> + Send + 'static,
    ) -> Result<R, ApiError> {
        let Some(permit) = self.reads.acquire(BLOCKING_WAIT).await else { return Err(waited_too_long()) };
        let answer = self.blocking(move |app| {
            let answer = app.pool.with(f)?.map_err(Into::into);
            // Also kept if the request is given up meanwhile.
            drop(permit);
            answer
        });
        answer.await
    }

    /// Refuses a request that would add a job of the index if too many are pending. Call it before the body is read.
    pub fn admit_job(&self) -> Result<(), ApiError> {
        self.settings.backlog.admit(&self.pool)
    }
}

fn waited_too_long() -> ApiError {
    Bound::BlockingCalls.met();
    ApiError::busy("too many requests are waiting for the database; nothing was changed: try again shortly")
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
