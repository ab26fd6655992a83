//! The upstreams of a process, and the runtime in which requests to them run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;

use super::alarm::Alarm;
use super::client::{Client, http};
use super::crate_files::CrateFiles;
use super::measures;
use super::outages::Outages;
use super::reading;
use super::settings::{Places, Times, UpstreamPlan, UpstreamSettings};
use super::sharing::SharedDatabase;
use super::state::UpstreamState;
use super::upstream::Upstream;
use crate::advisory::policy::Actions;
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::download_log::downloads::Subject;
use crate::database::upstream_sharing::requests;
use crate::error_chain::ErrorChain;
use crate::exposure::Question;
use crate::exposure::dependents::Source;
use crate::package::{CrateName, Version};
use crate::upstream_cache::eviction::{self, Evicted};
use crate::web::extract::path::as_in_a_url;
use crate::web::shortened::shortened;

/// How often files that are too many are looked for.
const EVICTION: Duration = Duration::from_secs(600);
/// How often rules about crates, and advisories, are read.
const RULES: Duration = Duration::from_secs(2);
/// How long the end waits for what is being written.
const END: Duration = Duration::from_secs(10);
/// The threads for requests to upstreams.
const THREADS: usize = 2;

/// All upstreams of a process. Clones share them.
#[derive(Clone, Default)]
pub struct Upstreams(Option<Arc<Parts>>);

struct Parts {
    upstreams: Vec<Arc<Upstream>>,
    files: CrateFiles,
    /// Of kept crate files.
    max_bytes: u64,
    alarm: Alarm,
    /// The database, if machines share index files.
    shared: Option<Arc<SharedDatabase>>,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
}

/// Why upstreams cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("the token of the upstream {0} cannot be sent: it has other characters than ASCII")]
    Token(String),
    #[error("{0}")]
    Insecure(String),
    #[error("the HTTP client for upstreams cannot be built: {0}")]
    Client(String),
    #[error("the threads for upstreams cannot be started")]
    Runtime(#[from] std::io::Error),
}

impl Upstreams {
    /// Starts to serve upstreams. Without an end of stale files nothing is asked, and what is kept is served.
    pub fn start(
        plans: Vec<UpstreamPlan>,
        times: Times,
        contact: &str,
        places: Places<'_>,
    ) -> Result<Self, UpstreamError> {
        let runtime =
            Builder::new_multi_thread().worker_threads(THREADS).thread_name("upstream").enable_all().build()?;
        let http = http(contact).map_err(UpstreamError::Client)?;
        let handle = runtime.handle();
        let alarm = Alarm::default();
        let shared = places.is_shared.then(|| Arc::new(SharedDatabase::new(handle.clone())));
        let upstreams: Result<Vec<_>, _> = plans
            .into_iter()
            .map(|plan| {
                let kept = (handle.clone(), places.index_files.join(&plan.name), shared.clone());
                one(plan, times, (http.clone(), alarm.clone()), kept).map(Arc::new)
            })
            .collect();
        Ok(Self(Some(Arc::new(Parts {
            upstreams: upstreams?,
            files: CrateFiles::new(places.crate_files),
            max_bytes: places.max_bytes,
            alarm,
            shared,
            runtime: Some(runtime),
        }))))
    }

    /// Reads the rules about crates and the advisories now, and again every few seconds, and removes crate files that are too many
    /// from time to time.
    pub fn attend(&self, pool: &Pool) {
        let Some(parts) = &self.0 else { return };
        if let Some(runtime) = &parts.runtime {
            evict_regularly(runtime.handle(), parts.files.store().clone(), (parts.max_bytes, pool));
        }
        self.follow_rules(pool);
    }

    /// Reads the rules about crates and the advisories now, and again every few seconds.
    pub fn follow_rules(&self, pool: &Pool) {
        let Some(parts) = &self.0 else { return };
        let upstreams = parts.upstreams.clone();
        parts.alarm.attend(pool);
        reading::read_all(pool, &upstreams);
        if let (Some(shared), Some(runtime)) = (&parts.shared, &parts.runtime) {
            shared.attend(pool);
            tidy_regularly(runtime.handle(), Arc::clone(shared));
        }
        let (pool, Some(runtime)) = (pool.clone(), &parts.runtime) else { return };
        runtime.spawn(async move {
            // They were just read.
            let mut ticks = tokio::time::interval_at(Instant::now() + RULES, RULES);
            loop {
                ticks.tick().await;
                let (pool, upstreams) = (pool.clone(), upstreams.clone());
                let read = tokio::task::spawn_blocking(move || reading::read_all(&pool, &upstreams)).await;
                if let Err(panic) = read {
                    tracing::error!(%panic, "the rules about upstreams cannot be read: the former ones count");
                }
            }
        });
    }

    /// Ends what is under way, and waits until alarms are in the audit log. For a command, which has no clones.
    pub fn end(self) {
        let parts = self.0.and_then(Arc::into_inner);
        if let Some(runtime) = parts.and_then(|mut parts| parts.runtime.take()) {
            runtime.shutdown_timeout(END);
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.all().iter().find(|upstream| upstream.settings.name == name)
    }

    /// The question who is exposed to a crate of an upstream, or to one version; None if there is no such upstream.
    pub async fn exposure(
        &self,
        base_url: &str,
        of: &str,
        (name, version): (CrateName, Option<Version>),
    ) -> Option<Question> {
        let upstream = self.find(of)?;
        let published_at = match &version {
            Some(version) => upstream.published_at(&name, version).await,
            None => None,
        };
        let source = Source::upstream(of, Some(&upstream.settings.index), Some(base_url));
        let subject = Subject { upstream: of.to_owned(), name, version };
        Some(Question { subject, source, since: None, published_at })
    }

    /// What is answered about an upstream that there is not.
    pub fn no_such(&self, name: &str) -> String {
        let names: Vec<_> = self.names().collect();
        let there = match names.is_empty() {
            true => "this registry has none".to_owned(),
            false => format!("there is {}", names.join(", ")),
        };
        let name = as_in_a_url(name);
        format!("there is no upstream {}: {there}", shortened(&name))
    }

    /// The names of all, as the operator gave them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all().iter().map(|upstream| &*upstream.settings.name)
    }

    /// What is done about versions of an upstream that advisories affect.
    pub fn advisory_actions(&self, name: &str) -> Actions {
        self.find(name).map_or_else(Actions::default, |upstream| upstream.settings.advisory_actions)
    }

    /// The name of each, and the URL of its sparse index.
    pub fn indexes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all().iter().map(|upstream| (&*upstream.settings.name, &*upstream.settings.index))
    }

    /// What each is doing.
    pub fn state(&self) -> impl Iterator<Item = UpstreamState> {
        self.all().iter().map(|of| UpstreamState::of(of))
    }

    /// Where requests to upstreams run; None without upstreams.
    pub(super) fn runtime(&self) -> Option<&Runtime> {
        self.0.as_deref()?.runtime.as_ref()
    }

    pub(super) fn all(&self) -> &[Arc<Upstream>] {
        self.0.as_deref().map_or(&[], |parts| &parts.upstreams)
    }

    pub(super) fn files(&self) -> Option<&CrateFiles> {
        self.0.as_deref().map(|parts| &parts.files)
    }
}

fn one(
    plan: UpstreamPlan,
    Times { fresh, stale, away }: Times,
    (http, alarm): (reqwest::Client, Alarm),
    kept: (Handle, PathBuf, Option<Arc<SharedDatabase>>),
) -> Result<Upstream, UpstreamError> {
    let UpstreamPlan { name, index, token, cooldowns, advisory_actions } = plan;
    let token = token.map(|(secret, token)| {
        let value = HeaderValue::try_from(secret).map_err(|_| UpstreamError::Token(name.clone()));
        token.check(&index).map_err(|error| UpstreamError::Insecure(error.to_string()))?;
        let mut value = value?;
        value.set_sensitive(true);
        Ok::<_, UpstreamError>((value, token))
    });
    let outages = Outages::new(name.clone(), away, (alarm.clone(), kept.0.clone()));
    let client = Client::new(http, token.transpose()?, outages, stale.is_none());
    measures::describe(&name);
    let settings = UpstreamSettings { name, index, fresh, stale, cooldowns, advisory_actions };
    Ok(Upstream::new(settings, client, alarm, kept))
}

/// Removes what nothing follows from of the requests that machines have made.
fn tidy_regularly(handle: &Handle, shared: Arc<SharedDatabase>) {
    handle.spawn(async move {
        let mut ticks = tokio::time::interval(EVICTION);
        loop {
            ticks.tick().await;
            // It logs its failures itself.
            let _ = shared.run(requests::tidy).await;
        }
    });
}

fn evict_regularly(handle: &Handle, store: CrateStore, (max_bytes, pool): (u64, &Pool)) {
    let pool = pool.clone();
    handle.spawn(async move {
        let mut ticks = tokio::time::interval(EVICTION);
        loop {
            ticks.tick().await;
            let (store, pool) = (store.clone(), pool.clone());
            let run = tokio::task::spawn_blocking(move || eviction::run(&store, max_bytes, &pool)).await;
            match run {
                Ok(Ok(evicted)) => report(&evicted, max_bytes),
                Ok(Err(error)) => {
                    let error = ErrorChain::of(&error);
                    tracing::error!(%error, "kept crate files of upstreams are not removed");
                }
                Err(panic) => tracing::error!(%panic, "kept crate files of upstreams cannot be removed"),
            }
        }
    });
}

fn report(evicted: &Evicted, max_bytes: u64) {
    let Evicted { files, bytes, left, pinned } = *evicted;
    if files > 0 {
        tracing::info!(files, bytes, left, "removed kept crate files of upstreams");
    }
    if let Some(excess) = pinned.checked_sub(max_bytes).filter(|excess| *excess > 0) {
        tracing::warn!(
            pinned,
            excess,
            "the pinned crate files of upstreams alone are larger than --upstream-cache-size: raise it, or remove pins"
        );
    }
}

/// The last owner may be a task, which must not wait for the end of the runtime.
impl Drop for Parts {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
