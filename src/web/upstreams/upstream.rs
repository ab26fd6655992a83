//! One upstream: its client, and what is kept of its index.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::Utc;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::alarm::Alarm;
use super::client::{Answer, Client, FetchError};
use super::downloads::{Downloads, KnownDownloads};
use super::flights::Flights;
use super::index_file::{ByWeight, IndexFile};
use super::measures;
use super::settings::UpstreamSettings;
use crate::database::access::audit::Action;
use crate::package::CrateName;
use crate::upstream_cache::kept_file::{KeptFile, KeptFiles, Known};
use crate::upstream_cache::lines;
use crate::upstream_cache::rules::Rules;
use crate::upstream_cache::verdict::Policy;

/// Memory for index files of an upstream, in bytes, and how many it usually has.
const MEMORY: u64 = 64 * 1024 * 1024;
const USUAL_FILES: usize = 10_000;
/// How long a file that is absent is not asked for again, and how many such paths are kept.
const ABSENT: Duration = Duration::from_secs(10);
const ABSENT_PATHS: usize = 10_000;
/// How long a client waits for the upstream if a file is kept, and if none is.
const PATIENCE: Duration = Duration::from_secs(3);
const LONGEST: Duration = Duration::from_secs(25);
/// How long the next clients do not wait, after one has waited in vain.
const SILENT: Duration = Duration::from_secs(20);
/// How long a file that lacks a version is not asked for again.
const SOON: Duration = Duration::from_secs(2);
/// How old the time at which the upstream confirmed a file may become on the disk, at most.
const NOTED: Duration = Duration::from_secs(3600);
/// Memory for the crate files of an upstream that are on their way, in KiB, and how long one waits for it.
const ROOM: usize = 512 * 1024;
const CROWDED: Duration = Duration::from_secs(20);

/// What came of a request for an index file: the file, or that there is none.
type Fetched = Result<Option<Arc<IndexFile>>, FetchError>;

/// An upstream.
pub struct Upstream {
    pub settings: UpstreamSettings,
    pub client: Client,
    pub(super) alarm: Alarm,
    /// Where requests to it run.
    pub(super) runtime: Handle,
    kept: KeptFiles,
    memory: Cache<String, Arc<IndexFile>, ByWeight>,
    absent: Cache<String, Instant>,
    flights: Arc<Flights<String, Fetched>>,
    /// For crate files that are on their way, in KiB.
    room: Arc<Semaphore>,
    downloads: KnownDownloads,
    /// Until when no client waits for it that can have what is kept.
    silent_until: Mutex<Option<Instant>>,
    /// What people have decided; None until it was read.
    rules: RwLock<Option<Arc<Rules>>>,
}

impl Upstream {
    pub fn new(
        settings: UpstreamSettings,
        client: Client,
        alarm: Alarm,
        (runtime, directory): (Handle, PathBuf),
    ) -> Self {
        // With several shards a large file would fit into none.
        let options =
            OptionsBuilder::new().estimated_items_capacity(USUAL_FILES).weight_capacity(MEMORY).shards(1).build();
        let options = options.expect("both capacities are set"); // above
        let memory = Cache::with_options(options, ByWeight, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self {
            settings,
            client,
            alarm,
            runtime,
            kept: KeptFiles::new(directory),
            memory,
            absent: Cache::new(ABSENT_PATHS),
            flights: Arc::default(),
            room: Arc::new(Semaphore::new(ROOM)),
            downloads: KnownDownloads::default(),
            silent_until: Mutex::default(),
            rules: RwLock::default(),
        }
    }

    /// The file at a path of the index, which is the right one; None if the upstream says that there is none.
    pub async fn index_file(self: &Arc<Self>, path: &str) -> Result<Option<Arc<IndexFile>>, FetchError> {
        let outcome = |outcome| measures::index_file(&self.settings.name, outcome);
        if let Some(file) = self.memory.get(path).filter(|file| file.age() < self.settings.fresh) {
            outcome(measures::HIT);
            return Ok(Some(file).filter(|file| !file.is_of_no_version()));
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
        let patience = if self.is_silent() && self.is_kept(path).await { Duration::ZERO } else { PATIENCE };
        let landed = match tokio::time::timeout(patience, flight.as_mut()).await {
            Ok(landed) => landed,
            Err(_) => match self.usable(path) {
                Some(file) => {
                    measures::index_file(&self.settings.name, measures::STALE);
                    self.note_silence(patience);
                    return Ok(Some(file));
                }
                None => tokio::time::timeout(LONGEST - patience, flight).await.unwrap_or_else(|_| {
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

    /// Memory for a piece of a crate file, twice: at the end the pieces are put together. None if there was none for some time.
    pub(super) async fn room_for(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let room = u32::try_from(2 * bytes.div_ceil(1024)).ok()?;
        let room = tokio::time::timeout(CROWDED, Arc::clone(&self.room).acquire_many_owned(room)).await;
        room.ok()?.ok()
    }

    /// Whether a client has waited in vain a short time ago: the next ones get what is kept at once.
    fn is_silent(&self) -> bool {
        let until = *self.silent_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| until > Instant::now())
    }

    fn note_silence(&self, waited: Duration) {
        if waited == PATIENCE {
            *self.silent_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + SILENT);
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.index)
    }

    /// Whether there is a file that may still be served. One that only the disk has is in memory afterwards.
    async fn is_kept(&self, path: &str) -> bool {
        if self.memory.get(path).is_none() {
            self.load(path).await;
        }
        self.usable(path).is_some()
    }

    /// The file in memory, if it may still be served.
    fn usable(&self, path: &str) -> Option<Arc<IndexFile>> {
        self.memory.get(path).filter(|file| self.is_usable(file) && !file.is_of_no_version())
    }

    fn is_usable(&self, file: &IndexFile) -> bool {
        self.settings.stale.is_none_or(|stale| file.age() < stale || file.is_of_the_future())
    }

    /// Runs one at a time for a path.
    async fn refresh(self: Arc<Self>, path: &str, age: Duration) -> Result<Option<Arc<IndexFile>>, FetchError> {
        let name = &self.settings.name;
        let former = self.present(path).await;
        if let Some(file) = former.as_ref().filter(|file| file.age() < age) {
            measures::index_file(name, measures::HIT);
            return Ok(Some(Arc::clone(file)).filter(|file| !file.is_of_no_version()));
        }
        let known = former.as_ref().map(|file| &file.file.known);
        let validators =
            (known.and_then(|known| known.etag.as_deref()), known.and_then(|known| known.last_modified.as_deref()));
        let answered = self.client.index_file(&self.url(path), validators).await;
        let answered = answered.and_then(|answer| match answer {
            // All versions of a crate may be gone; a cut answer takes away none that are kept.
            Answer::Sent { content, .. } if content.is_empty() && has_no_version(former.as_deref()) => {
                Ok(Answer::Absent)
            }
            Answer::Sent { content, .. } if content.is_empty() => Err(self.invalid(path, "it is empty")),
            Answer::Sent { content, etag, last_modified } => match lines::check(&content, path) {
                Ok(()) => Ok(Answer::Sent { content, etag, last_modified }),
                Err(why) => Err(self.invalid(path, &why.to_string())),
            },
            answer => Ok(answer),
        });
        match (answered, former) {
            (Ok(Answer::NotModified), Some(former)) => {
                measures::index_file(name, measures::CONFIRMED);
                former.confirm();
                Ok(Some(self.keep_confirmation(path, former).await))
            }
            (Ok(Answer::NotModified), None) => {
                Err(self.invalid(path, "it answered 304 to a request without conditions"))
            }
            (Ok(Answer::Sent { content, etag, last_modified }), former) => {
                measures::index_file(name, measures::FETCHED);
                let former = former.as_ref().map(|former| &former.file);
                let file = KeptFile::sent(content, (etag, last_modified), former);
                self.report_changes(path, &file, former);
                Ok(Some(self.keep(path, file).await))
            }
            (Ok(Answer::Absent), former) => Ok(self.absent(path, former).await),
            (Err(error), former) => self.without_answer(path, error, former),
        }
    }

    /// Reports versions whose checksums were changed, each change once.
    fn report_changes(&self, path: &str, file: &KeptFile, former: Option<&KeptFile>) {
        for (version, first) in &file.known.first_checksums {
            if former.is_some_and(|former| former.known.first_checksums.contains_key(version)) {
                continue;
            }
            let krate = path.rsplit('/').next().unwrap_or_default();
            let detail = json!({ "crate": krate, "version": version, "first_checksum": first });
            self.alarm.raise(&self.runtime, Action::UpstreamChange, &self.settings.name, detail);
        }
    }

    fn invalid(&self, path: &str, why: &str) -> FetchError {
        FetchError::Undecodable { url: self.url(path), problem: why.to_owned() }
    }

    /// The file in memory, or that of the disk if there is none or a command has written another one.
    async fn present(&self, path: &str) -> Option<Arc<IndexFile>> {
        let Some(file) = self.memory.get(path) else { return self.load(path).await };
        let (kept, asked) = (self.kept.clone(), path.to_owned());
        let stamp = self.runtime.spawn_blocking(move || kept.stamp(&asked)).await;
        let is_other = matches!(stamp, Ok(Ok(Some(stamp))) if file.stamp != Some(stamp));
        if is_other { self.load(path).await.or(Some(file)) } else { Some(file) }
    }

    async fn load(&self, path: &str) -> Option<Arc<IndexFile>> {
        let (kept, asked) = (self.kept.clone(), path.to_owned());
        let read = self.runtime.spawn_blocking(move || kept.read(&asked)).await;
        match read.unwrap_or(Ok(None)) {
            Ok(read) => {
                let (file, stamp) = read?;
                let file = Arc::new(IndexFile::new(file, Some(stamp)));
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
        let (kept, at, content) = (self.kept.clone(), path.to_owned(), file.clone());
        let written = self.runtime.spawn_blocking(move || {
            let written = kept.write(&at, &content);
            // What is on the disk instead counts no more.
            let stamp = written.as_ref().map_or_else(|_| kept.stamp(&at).ok().flatten(), |stamp| Some(*stamp));
            (written, stamp)
        });
        let (written, stamp) = written.await.unwrap_or_else(|panic| (Err(std::io::Error::other(panic)), None));
        if let Err(error) = written {
            tracing::warn!(upstream = self.settings.name, path, %error, "an index file of an upstream cannot be kept on the disk");
        }
        let file = Arc::new(IndexFile::new(file, stamp));
        self.memory.insert(path.to_owned(), Arc::clone(&file));
        self.absent.remove(path);
        file
    }

    /// Notes on the disk that a file was confirmed, unless that is known there well enough: after a restart without the upstream it
    /// is served for as long as before.
    async fn keep_confirmation(&self, path: &str, former: Arc<IndexFile>) -> Arc<IndexFile> {
        let (now, known) = (Utc::now(), &former.file.known);
        let noted = (now - known.checked_at).to_std().unwrap_or(Duration::MAX);
        if noted < self.settings.stale.map_or(NOTED, |stale| NOTED.min(stale / 8)) {
            return former;
        }
        let file = KeptFile { known: Known { checked_at: now, ..known.clone() }, content: former.file.content.clone() };
        self.keep(path, file).await
    }

    /// The upstream has no such file. One that is kept is believed to be gone when it is absent again after a while.
    async fn absent(&self, path: &str, former: Option<Arc<IndexFile>>) -> Option<Arc<IndexFile>> {
        measures::index_file(&self.settings.name, measures::ABSENT);
        if let Some(former) = former.filter(|former| !former.is_of_no_version()) {
            let since = {
                let mut since = former.absent_since.lock().unwrap_or_else(PoisonError::into_inner);
                *since.get_or_insert_with(Instant::now)
            };
            if since.elapsed() < self.settings.fresh && self.is_usable(&former) {
                tracing::warn!(
                    upstream = self.settings.name,
                    path,
                    "an index file is no longer at the upstream: the kept one is served until it is absent for the second time"
                );
                return Some(former);
            }
            // What was known of its versions stays known.
            let nothing = KeptFile::sent(Bytes::new(), (None, None), Some(&former.file));
            self.keep(path, nothing).await;
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
        let is_quiet = error.is_of_nothing_asked();
        match former.filter(|former| self.is_usable(former) && !former.is_of_no_version()) {
            Some(former) => {
                measures::index_file(&self.settings.name, measures::STALE);
                if !is_quiet {
                    tracing::warn!(upstream = self.settings.name, path, %error, "an upstream does not answer: the kept index file is served");
                }
                Ok(Some(former))
            }
            None => {
                measures::index_file(&self.settings.name, measures::FAILED);
                if !is_quiet {
                    tracing::warn!(upstream = self.settings.name, path, %error, "an index file of an upstream cannot be fetched");
                }
                Err(error)
            }
        }
    }

    /// Where the crate files are.
    pub async fn downloads(&self) -> Result<Downloads, FetchError> {
        self.downloads.current(&self.client, &self.settings).await
    }

    /// By what the versions of a crate are judged. The error if the rules were not read yet.
    pub fn policy_of(&self, name: &CrateName) -> Result<Policy, RulesUnread> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let rules = rules.as_ref().ok_or(RulesUnread)?.of_crate(name);
        Ok(Policy { age: self.settings.cooldowns.of(name), rules })
    }

    /// Takes over the rules that were read.
    pub fn take_rules(&self, rules: Rules) {
        let mut present = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        if present.as_deref() != Some(&rules) {
            *present = Some(Arc::new(rules));
        }
    }
}

/// The database could not be read since the start.
#[derive(Clone, Copy, Debug)]
pub struct RulesUnread;

fn has_no_version(file: Option<&IndexFile>) -> bool {
    file.is_none_or(IndexFile::is_of_no_version)
}
