//! The upstreams of a process, and the runtime in which requests to them run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;

use super::alarm::Alarm;
use super::client::{Client, http};
use super::crate_files::CrateFiles;
use super::measures;
use super::settings::{UpstreamPlan, UpstreamSettings};
use super::upstream::Upstream;
use crate::crate_store::CrateStore;
use crate::database::{Pool, upstream_rules};
use crate::error_chain::ErrorChain;
use crate::upstream_cache::cooldown::in_words;
use crate::upstream_cache::eviction::{self, Evicted};
use crate::upstream_cache::rules::Rules;

/// How often files that are too many are looked for.
const EVICTION: Duration = Duration::from_secs(600);
/// How often rules about crates are read.
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
    /// Starts to serve upstreams. Index files are kept below a directory, and crate files in a store of at most so many bytes. Without
    /// an end of stale files nothing is asked, and what is kept is served.
    pub fn start(
        plans: Vec<UpstreamPlan>,
        (fresh, stale): (Duration, Option<Duration>),
        contact: &str,
        (directory, store, max_bytes): (&Path, CrateStore, u64),
    ) -> Result<Self, UpstreamError> {
        let runtime =
            Builder::new_multi_thread().worker_threads(THREADS).thread_name("upstream").enable_all().build()?;
        let http = http(contact).map_err(UpstreamError::Client)?;
        let handle = runtime.handle();
        let alarm = Alarm::default();
        let upstreams: Result<Vec<_>, _> = plans
            .into_iter()
            .map(|plan| one(plan, (fresh, stale), (http.clone(), handle, alarm.clone()), directory).map(Arc::new))
            .collect();
        Ok(Self(Some(Arc::new(Parts {
            upstreams: upstreams?,
            files: CrateFiles::new(store),
            max_bytes,
            alarm,
            runtime: Some(runtime),
        }))))
    }

    /// Reads the rules about crates now, and again every few seconds, and removes crate files that are too many from time to time.
    pub fn attend(&self, pool: &Pool) {
        let Some(parts) = &self.0 else { return };
        if let Some(runtime) = &parts.runtime {
            evict_regularly(runtime.handle(), parts.files.store().clone(), (parts.max_bytes, pool));
        }
        self.follow_rules(pool);
    }

    /// Reads the rules about crates now, and again every few seconds.
    pub fn follow_rules(&self, pool: &Pool) {
        let Some(parts) = &self.0 else { return };
        let upstreams = parts.upstreams.clone();
        parts.alarm.attend(pool);
        read_rules(pool, &upstreams);
        let (pool, Some(runtime)) = (pool.clone(), &parts.runtime) else { return };
        runtime.spawn(async move {
            // They were just read.
            let mut ticks = tokio::time::interval_at(Instant::now() + RULES, RULES);
            loop {
                ticks.tick().await;
                let (pool, upstreams) = (pool.clone(), upstreams.clone());
                let read = tokio::task::spawn_blocking(move || read_rules(&pool, &upstreams)).await;
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

    /// The names of all, as the operator gave them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all().iter().map(|upstream| &*upstream.settings.name)
    }

    /// Name, index URL, and the age at which versions are shown, of each.
    pub fn described(&self) -> impl Iterator<Item = (&str, &str, Option<String>)> {
        let age = |of: &Upstream| of.settings.cooldowns.of_all.map(in_words);
        self.all().iter().map(move |of| (&*of.settings.name, &*of.settings.index, age(of)))
    }

    fn all(&self) -> &[Arc<Upstream>] {
        self.0.as_deref().map_or(&[], |parts| &parts.upstreams)
    }

    pub(super) fn files(&self) -> Option<&CrateFiles> {
        self.0.as_deref().map(|parts| &parts.files)
    }
}

fn one(
    plan: UpstreamPlan,
    (fresh, stale): (Duration, Option<Duration>),
    (http, handle, alarm): (reqwest::Client, &Handle, Alarm),
    directory: &Path,
) -> Result<Upstream, UpstreamError> {
    let UpstreamPlan { name, index, token, cooldowns } = plan;
    let token = token.map(|(secret, token)| {
        let value = HeaderValue::try_from(secret).map_err(|_| UpstreamError::Token(name.clone()));
        token.check(&index).map_err(|error| UpstreamError::Insecure(error.to_string()))?;
        let mut value = value?;
        value.set_sensitive(true);
        Ok::<_, UpstreamError>((value, token))
    });
    let client = Client::new(http, token.transpose()?, stale.is_none());
    let kept: PathBuf = directory.join(&name);
    measures::describe(&name);
    let settings = UpstreamSettings { name, index, fresh, stale, cooldowns };
    Ok(Upstream::new(settings, client, alarm, (handle.clone(), kept)))
}

fn read_rules(pool: &Pool, upstreams: &[Arc<Upstream>]) {
    match pool.with(|connection| upstream_rules::list(connection, None)) {
        Ok(Ok(all)) => upstreams.iter().for_each(|one| one.take_rules(Rules::of(&one.settings.name, &all))),
        Ok(Err(error)) => tracing::warn!(%error, "the rules about upstreams cannot be read: the former ones count"),
        Err(error) => tracing::warn!(%error, "the rules about upstreams cannot be read: the former ones count"),
    }
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
