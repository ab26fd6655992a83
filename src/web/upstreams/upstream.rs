//! One upstream: its client, and what is kept of its index.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tokio::runtime::Handle;

use super::client::{Answer, Client, FetchError};
use super::flights::Flights;
use super::measures;
use crate::index::{ConfigJson, Oid, blob_id};
use crate::upstream_cache::cooldown::{Shown, shown};
use crate::upstream_cache::kept_file::{KeptFile, KeptFiles};
use crate::upstream_cache::lines;

/// Memory for index files of an upstream, in bytes, and how many it usually has.
const MEMORY: u64 = 64 * 1024 * 1024;
const USUAL_FILES: usize = 10_000;
/// How long nobody asks again for a file that is absent, and how many such paths are kept.
const ABSENT: Duration = Duration::from_secs(10);
const ABSENT_PATHS: usize = 10_000;
/// How long a client waits for the upstream if a file is kept, and if none is.
const PATIENCE: Duration = Duration::from_secs(3);
const LONGEST: Duration = Duration::from_secs(25);
/// How long nobody asks again for a file that lacks a version.
const SOON: Duration = Duration::from_secs(2);
/// How long the settings of the upstream's index count.
const SETTINGS: Duration = Duration::from_secs(600);

/// What an operator has set.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    pub name: String,
    /// The URL of its sparse index, with a slash at the end.
    pub index: String,
    pub fresh: Duration,
    pub stale: Duration,
    /// The age at which versions are shown.
    pub cooldown: Option<TimeDelta>,
}

impl UpstreamSettings {
    /// The age at which versions are shown, for people.
    pub fn age(&self) -> String {
        let age = self.cooldown.and_then(|age| age.to_std().ok()).unwrap_or_default();
        humantime::format_duration(age).to_string()
    }
}

/// An upstream.
pub struct Upstream {
    pub settings: UpstreamSettings,
    pub client: Client,
    /// Where requests to it run.
    pub(super) runtime: Handle,
    kept: KeptFiles,
    memory: Cache<String, Arc<IndexFile>, ByWeight>,
    absent: Cache<String, Instant>,
    flights: Arc<Flights<String, Result<Option<Arc<IndexFile>>, FetchError>>>,
    dl: Mutex<Option<(String, Instant)>>,
}

/// An index file in memory.
pub struct IndexFile {
    pub file: KeptFile,
    /// When the upstream last confirmed it, in milliseconds.
    checked_at: AtomicI64,
    /// Since when the upstream says that there is no such file.
    absent_since: Mutex<Option<Instant>>,
    /// As it was last shown.
    shown: Mutex<Option<(Oid, Shown)>>,
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<String, Arc<IndexFile>> for ByWeight {
    fn weight(&self, path: &String, file: &Arc<IndexFile>) -> u64 {
        (path.len() + file.file.content.len() + 256) as u64
    }
}

impl IndexFile {
    fn new(file: KeptFile) -> Self {
        let checked_at = AtomicI64::new(file.known.checked_at.timestamp_millis());
        Self { file, checked_at, absent_since: Mutex::default(), shown: Mutex::default() }
    }

    /// How long ago the upstream confirmed it. A clock that was set back makes it old.
    fn age(&self) -> Duration {
        let milliseconds = Utc::now().timestamp_millis() - self.checked_at.load(Ordering::Relaxed);
        u64::try_from(milliseconds).map_or(Duration::MAX, Duration::from_millis)
    }

    fn confirm(&self) {
        self.checked_at.store(Utc::now().timestamp_millis(), Ordering::Relaxed);
        *self.absent_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Its bytes as they are shown now, and their id.
    pub fn shown(&self, cooldown: Option<TimeDelta>) -> Result<(Oid, Bytes), crate::index::IndexError> {
        let mut last = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Utc::now();
        if let Some((id, shown)) = last.as_ref().filter(|(_, shown)| shown.until.is_none_or(|until| until > now)) {
            return Ok((*id, shown.content.clone()));
        }
        let shown = shown(&self.file, cooldown, now);
        let id = blob_id(&shown.content)?;
        let content = shown.content.clone();
        *last = Some((id, shown));
        Ok((id, content))
    }
}

impl Upstream {
    pub fn new(settings: UpstreamSettings, client: Client, runtime: Handle, directory: PathBuf) -> Self {
        let options = OptionsBuilder::new().estimated_items_capacity(USUAL_FILES).weight_capacity(MEMORY).build();
        let options = options.expect("both capacities are set"); // above
        let memory = Cache::with_options(options, ByWeight, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self {
            settings,
            client,
            runtime,
            kept: KeptFiles::new(directory),
            memory,
            absent: Cache::new(ABSENT_PATHS),
            flights: Arc::default(),
            dl: Mutex::default(),
        }
    }

    /// The file at a path of the index, which is the right one; None if the upstream says that there is none.
    pub async fn index_file(self: &Arc<Self>, path: &str) -> Result<Option<Arc<IndexFile>>, FetchError> {
        let outcome = |outcome| measures::index_file(&self.settings.name, outcome);
        if let Some(file) = self.memory.get(path).filter(|file| file.age() < self.settings.fresh) {
            outcome(measures::HIT);
            return Ok(Some(file));
        }
        if self.absent.get(path).is_some_and(|since| since.elapsed() < ABSENT) {
            outcome(measures::ABSENT);
            return Ok(None);
        }
        self.check_again(path, self.settings.fresh).await
    }

    /// Asks the upstream whether a file has changed that was confirmed so long ago. If it does not answer, or not soon, the kept
    /// file is the answer.
    async fn check_again(self: &Arc<Self>, path: &str, age: Duration) -> Result<Option<Arc<IndexFile>>, FetchError> {
        let begin = || {
            let (upstream, path) = (Arc::clone(self), path.to_owned());
            async move { upstream.refresh(&path, age).await }
        };
        let mut flight = std::pin::pin!(self.flights.join(&self.runtime, path.to_owned(), begin));
        let landed = match tokio::time::timeout(PATIENCE, flight.as_mut()).await {
            Ok(landed) => landed,
            Err(_) => match self.usable(path) {
                Some(file) => {
                    measures::index_file(&self.settings.name, measures::STALE);
                    return Ok(Some(file));
                }
                None => tokio::time::timeout(LONGEST - PATIENCE, flight).await.unwrap_or_else(|_| {
                    let (url, problem) = (self.url(path), format!("no answer in {LONGEST:?}"));
                    Some(Err(FetchError::Unreachable { url, problem }))
                }),
            },
        };
        landed.unwrap_or_else(|| {
            let problem = "the request has ended without an answer: see the log".to_owned();
            Err(FetchError::Unreachable { url: self.url(path), problem })
        })
    }

    /// Asks again for a file that lacks something, unless it was just asked for.
    pub async fn check_again_soon(
        self: &Arc<Self>,
        path: &str,
        file: &IndexFile,
    ) -> Result<Option<Arc<IndexFile>>, FetchError> {
        if file.age() < SOON {
            return Ok(None);
        }
        self.check_again(path, SOON).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.index)
    }

    /// The file in memory, if it may still be served.
    fn usable(&self, path: &str) -> Option<Arc<IndexFile>> {
        self.memory.get(path).filter(|file| file.age() < self.settings.stale)
    }

    /// Runs one at a time for a path.
    async fn refresh(self: Arc<Self>, path: &str, age: Duration) -> Result<Option<Arc<IndexFile>>, FetchError> {
        let name = &self.settings.name;
        let former = match self.memory.get(path) {
            Some(file) => Some(file),
            None => self.load(path).await,
        };
        if let Some(file) = former.as_ref().filter(|file| file.age() < age) {
            measures::index_file(name, measures::HIT);
            return Ok(Some(Arc::clone(file)));
        }
        let known = former.as_ref().map(|file| &file.file.known);
        let validators =
            (known.and_then(|known| known.etag.as_deref()), known.and_then(|known| known.last_modified.as_deref()));
        let answered = self.client.index_file(&self.url(path), validators).await;
        let answered = answered.and_then(|answer| match answer {
            Answer::Sent { content, .. } if content.is_empty() && former.is_some() => {
                Err(self.invalid(path, "it is empty"))
            }
            Answer::Sent { content, .. } if lines::check(&content, path).is_err() => {
                let why = lines::check(&content, path).err().map(|error| error.to_string());
                Err(self.invalid(path, &why.unwrap_or_default()))
            }
            answer => Ok(answer),
        });
        match (answered, former) {
            (Ok(Answer::NotModified), Some(former)) => {
                measures::index_file(name, measures::CONFIRMED);
                former.confirm();
                Ok(Some(former))
            }
            (Ok(Answer::NotModified), None) => {
                Err(self.invalid(path, "it answered 304 to a request without conditions"))
            }
            (Ok(Answer::Sent { content, etag, last_modified }), former) => {
                measures::index_file(name, measures::FETCHED);
                let former = former.as_ref().map(|former| &former.file);
                let file = KeptFile::sent(content, (etag, last_modified), former);
                Ok(Some(self.keep(path, file).await))
            }
            (Ok(Answer::Absent), former) => Ok(self.absent(path, former).await),
            (Err(error), former) => self.without_answer(path, error, former),
        }
    }

    fn invalid(&self, path: &str, why: &str) -> FetchError {
        FetchError::Undecodable { url: self.url(path), problem: why.to_owned() }
    }

    async fn load(&self, path: &str) -> Option<Arc<IndexFile>> {
        let (kept, asked) = (self.kept.clone(), path.to_owned());
        let read = self.runtime.spawn_blocking(move || kept.read(&asked)).await;
        match read.unwrap_or(Ok(None)) {
            Ok(file) => {
                let file = Arc::new(IndexFile::new(file?));
                self.memory.insert(path.to_owned(), Arc::clone(&file));
                Some(file)
            }
            Err(error) => {
                tracing::warn!(upstream = self.settings.name, path, %error, "a kept index file cannot be read, and is fetched again");
                None
            }
        }
    }

    async fn keep(&self, path: &str, file: KeptFile) -> Arc<IndexFile> {
        let (kept, at, written) = (self.kept.clone(), path.to_owned(), file.clone());
        let written = self.runtime.spawn_blocking(move || kept.write(&at, &written)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(upstream = self.settings.name, path, %error, "an index file of an upstream cannot be kept on the disk");
        }
        let file = Arc::new(IndexFile::new(file));
        self.memory.insert(path.to_owned(), Arc::clone(&file));
        self.absent.remove(path);
        file
    }

    /// The upstream has no such file. One that is kept is believed to be gone when it is absent again after a while.
    async fn absent(&self, path: &str, former: Option<Arc<IndexFile>>) -> Option<Arc<IndexFile>> {
        measures::index_file(&self.settings.name, measures::ABSENT);
        if let Some(former) = former {
            let since = {
                let mut since = former.absent_since.lock().unwrap_or_else(PoisonError::into_inner);
                *since.get_or_insert_with(Instant::now)
            };
            if since.elapsed() < self.settings.fresh && former.age() < self.settings.stale {
                tracing::warn!(
                    upstream = self.settings.name,
                    path,
                    "an index file is no longer at the upstream: the kept one is served until it is absent for the second time"
                );
                return Some(former);
            }
            let (kept, gone) = (self.kept.clone(), path.to_owned());
            if let Ok(Err(error)) = self.runtime.spawn_blocking(move || kept.remove(&gone)).await {
                tracing::warn!(upstream = self.settings.name, path, %error, "a kept index file cannot be removed");
            }
            self.memory.remove(path);
        }
        self.absent.insert(path.to_owned(), Instant::now());
        None
    }

    fn without_answer(
        &self,
        path: &str,
        error: FetchError,
        former: Option<Arc<IndexFile>>,
    ) -> Result<Option<Arc<IndexFile>>, FetchError> {
        let is_pausing = matches!(error, FetchError::Pausing(..));
        match former.filter(|former| former.age() < self.settings.stale) {
            Some(former) => {
                measures::index_file(&self.settings.name, measures::STALE);
                if !is_pausing {
                    tracing::warn!(upstream = self.settings.name, path, %error, "an upstream does not answer: the kept index file is served");
                }
                Ok(Some(former))
            }
            None => {
                measures::index_file(&self.settings.name, measures::FAILED);
                if !is_pausing {
                    tracing::warn!(upstream = self.settings.name, path, %error, "an index file of an upstream cannot be fetched");
                }
                Err(error)
            }
        }
    }

    /// The template of the URLs of crate files.
    pub async fn dl(self: &Arc<Self>) -> Result<String, FetchError> {
        let known = self.dl.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((dl, at)) = &known
            && at.elapsed() < SETTINGS
        {
            return Ok(dl.clone());
        }
        let url = self.url(ConfigJson::PATH);
        let read = match self.client.index_file(&url, (None, None)).await {
            Ok(Answer::Sent { content, .. }) => ConfigOfUpstream::parse(&content)
                .map_err(|error| FetchError::Undecodable { url, problem: error.to_string() }),
            Ok(Answer::Absent | Answer::NotModified) => Err(FetchError::Undecodable {
                url,
                problem: "there is no such file, so this is no sparse index".to_owned(),
            }),
            Err(error) => Err(error),
        };
        match (read, known) {
            (Ok(dl), _) => {
                *self.dl.lock().unwrap_or_else(PoisonError::into_inner) = Some((dl.clone(), Instant::now()));
                Ok(dl)
            }
            (Err(error), Some((dl, _))) => {
                tracing::warn!(upstream = self.settings.name, %error, "config.json of an upstream cannot be fetched: the former one counts");
                Ok(dl)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Until when a version is too young.
    pub fn young_until(&self, file: &IndexFile, line: &lines::Line<'_>) -> Option<DateTime<Utc>> {
        let age = self.settings.cooldown?;
        crate::upstream_cache::cooldown::young_until(&file.file, line, age, Utc::now())
    }
}

/// What is read of an upstream's `config.json`, whose other keys may be missing.
struct ConfigOfUpstream;

impl ConfigOfUpstream {
    fn parse(content: &[u8]) -> Result<String, String> {
        let read: serde_json::Value = serde_json::from_slice(content).map_err(|error| error.to_string())?;
        let dl = read["dl"].as_str().ok_or("it has no `dl`")?;
        if dl.starts_with("https://") || dl.starts_with("http://") {
            Ok(dl.to_owned())
        } else {
            Err(format!("its `dl` is {dl:?}, which is no URL with http:// or https://"))
        }
    }
}
