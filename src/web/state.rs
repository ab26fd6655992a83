//! What every handler is given.

use std::sync::Arc;
use std::time::Duration;

use diesel::PgConnection;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::download_counts::DownloadCounts;
use super::health::Health;
use super::index::IndexState;
use super::limits::bounds::Bound;
use super::limits::turns::Turns;
use super::{AddressRequests, ApiError, TrustedProxies, Uploads};
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::search::Totals;
use crate::jobs::Admission;
use crate::package::{Limits, Policy, RegistryUrls};
use crate::queue::{Completions, Wakeups};
use crate::{jobs, queue};

/// Requests that may be in blocking code at the same time. Beyond it they wait, and hold nothing while they do. Reads of
/// the index are none of them: they need no database, and go on while all of these wait for it.
const BLOCKING_CALLS: usize = 64;
/// READMEs that are held in memory for their readers, in KiB.
const READMES: usize = 64 * 1024;
/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(60);

/// The registry as the web sees it. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
pub struct Parts {
    pub pool: Pool,
    pub crate_store: CrateStore,
    pub index: IndexState,
    pub wakeups: Wakeups,
    pub completions: Completions,
    pub settings: Settings,
    pub download_counts: DownloadCounts,
    /// What lately counted searches found.
    pub totals: Totals,
    /// Whether requests should be sent here.
    pub health: Health,
    /// For opening tarballs.
    pub(super) turns: Turns,
    /// READMEs that are being sent, in KiB.
    pub(super) readmes: Arc<Semaphore>,
    blocking_calls: Arc<Semaphore>,
}

/// What an operator chose.
#[derive(Clone)]
pub struct Settings {
    /// Without a slash at its end.
    pub base_url: String,
    /// The URLs under which crates may name this registry.
    pub urls: RegistryUrls,
    pub limits: Limits,
    /// Who may publish what, and how often.
    pub admission: Admission,
    /// Nobody is answered without a token.
    pub auth_required: bool,
    /// What is wanted of every package.
    pub policy: Policy,
    /// The longest an answer waits for its job.
    pub publish_wait: Duration,
    /// Whose word about their clients counts.
    pub trusted_proxies: TrustedProxies,
    /// How many requests a client may have at the same time.
    pub address_requests: AddressRequests,
    /// What uploads may take of memory and disk.
    pub uploads: Uploads,
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
        let health = Health::new(pool.clone(), index.view.clone(), crate_store.clone());
        Self(Arc::new(Parts {
            pool,
            crate_store,
            index,
            wakeups,
            completions,
            settings,
            download_counts: DownloadCounts::default(),
            totals: Totals::default(),
            health,
            turns: Turns::for_processors(),
            readmes: Arc::new(Semaphore::new(READMES)),
            blocking_calls,
        }))
    }

    /// Tells the workers of this process, or else those of others, that a job was enqueued and committed. Who is not told
    /// finds it within a second.
    pub fn wake_workers(&self) {
        self.wakeups.wake();
        if self.wakeups.is_attended(jobs::QUEUE) {
            return;
        }
        match self.pool.with(|connection| queue::announce(connection, jobs::QUEUE)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "other processes were not told of a job"),
            Err(error) => tracing::debug!(%error, "other processes were not told of a job"),
        }
    }

    /// Runs blocking code on a thread made for it.
    pub async fn blocking<R: Send + 'static>(
        &self,
        f: impl FnOnce(&App) -> Result<R, ApiError> + Send + 'static,
    ) -> Result<R, ApiError> {
        let Ok(permit) = timeout(TURN, Arc::clone(&self.blocking_calls).acquire_owned()).await else {
            Bound::BlockingCalls.met();
            return Err(ApiError::busy(
                "too many requests wait for the database; nothing was changed. Try again shortly",
            ));
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

    /// Runs `f` with a connection of the pool on a thread that may block.
    pub async fn with_connection<R: Send + 'static, E: Into<ApiError>>(
        &self,
        f: impl FnOnce(&mut PgConnection) -> Result<R, E> + Send + 'static,
    ) -> Result<R, ApiError> {
        self.blocking(move |app| app.pool.with(f)?.map_err(Into::into)).await
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
