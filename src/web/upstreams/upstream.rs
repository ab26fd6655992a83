//! One upstream: its client, and what is kept of its index.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::alarm::Alarm;
use super::changes;
use super::client::{Client, FetchError};
use super::downloads::{Downloads, KnownDownloads};
use super::flights::Flights;
use super::index_file::{ByWeight, IndexFile};
use super::judging::{Judging, Unread};
use super::known_versions::KnownVersions;
use super::measures::{self, Hits};
use super::settings::UpstreamSettings;
use super::sharing::{SharedDatabase, Sharing};
use super::shelf::Shelf;
use crate::package::index_path::index_path;
use crate::package::{CrateName, Version};
use crate::upstream_cache::kept_file::{KeptFile, KeptFiles};
use crate::upstream_cache::verdict::Policy;

/// Memory for index files of an upstream, in bytes, and how many it usually has.
const MEMORY: u64 = 64 * 1024 * 1024;
const USUAL_FILES: usize = 10_000;
/// How long a file that is absent is not asked for again, and how many such paths are kept.
const ABSENT: Duration = Duration::from_secs(10);
const ABSENT_PATHS: usize = 10_000;
/// How long a client waits for the upstream if a file is kept, and if none is.
const PATIENCE: Duration = Duration::from_secs(3);
pub(super) const LONGEST: Duration = Duration::from_secs(25);
/// How long the next clients do not wait, after one has waited in vain.
const SILENT: Duration = Duration::from_secs(20);
/// How long a file that lacks a version is not asked for again.
const SOON: Duration = Duration::from_secs(2);
/// Memory for the crate files of an upstream that are on their way, in KiB, and how long one waits for it.
const ROOM: usize = 512 * 1024;
const CROWDED: Duration = Duration::from_secs(20);

/// What came of a request for an index file: the file, or that there is none.
pub(super) type Fetched = Result<Option<Arc<IndexFile>>, FetchError>;

/// An upstream.
pub struct Upstream {
    pub settings: UpstreamSettings,
    pub client: Client,
    pub(super) alarm: Alarm,
    /// Where requests to it run.
    pub(super) runtime: Handle,
    /// Where its index files are kept.
    pub(super) shelf: Shelf,
    pub(super) memory: Cache<String, Arc<IndexFile>, ByWeight>,
    pub(super) absent: Cache<String, Instant>,
    flights: Arc<Flights<String, Fetched>>,
    /// For crate files that are on their way, in KiB.
    room: Arc<Semaphore>,
    downloads: KnownDownloads,
    /// Until when no client waits for it that can have what is kept.
    silent_until: Mutex<Option<Instant>>,
    pub(super) judging: Judging,
    pub(super) versions: KnownVersions,
    pub(super) hits: Hits,
}

impl Upstream {
    /// Index files are kept in a directory, or in a database that other machines have in common with this one.
    pub fn new(
        settings: UpstreamSettings,
        client: Client,
        alarm: Alarm,
        (runtime, directory, shared): (Handle, PathBuf, Option<Arc<SharedDatabase>>),
    ) -> Self {
        let sharing = shared.map(|database| Sharing::new(&settings.name, database, runtime.clone()));
        let shelf = Shelf::new(KeptFiles::new(directory), sharing, runtime.clone());
        // With several shards a large file would fit into none.
        let options =
            OptionsBuilder::new().estimated_items_capacity(USUAL_FILES).weight_capacity(MEMORY).shards(1).build();
        let options = options.expect("both capacities are set"); // above
        let hits = Hits::of(&settings.name);
        let memory = Cache::with_options(options, ByWeight, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self {
            settings,
            client,
            alarm,
            runtime,
            shelf,
            memory,
            absent: Cache::new(ABSENT_PATHS),
            flights: Arc::default(),
            room: Arc::new(Semaphore::new(ROOM)),
            downloads: KnownDownloads::default(),
            silent_until: Mutex::default(),
            judging: Judging::default(),
            versions: KnownVersions::default(),
            hits,
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

    /// The file at a path if memory has it, and the upstream need not be asked.
    pub(super) fn recall(&self, path: &str) -> Option<Arc<IndexFile>> {
        let file = self.memory.get(path).filter(|file| file.age() < self.settings.fresh);
        file.filter(|file| !file.is_of_no_version())
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

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.index)
    }

    /// Whether there is a file that may still be served. One that is not in memory is there afterwards.
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

    pub(super) fn is_usable(&self, file: &IndexFile) -> bool {
        self.settings.stale.is_none_or(|stale| file.age() < stale || file.is_of_the_future())
    }

    /// Reports what has changed in a file, each change once.
    pub(super) fn report_changes(&self, path: &str, file: &KeptFile, former: Option<&KeptFile>) {
        changes::report((&self.alarm, &self.runtime), (&self.settings.name, path), file, former);
    }

    pub(super) fn invalid(&self, path: &str, why: &str) -> FetchError {
        FetchError::Undecodable { url: self.url(path), problem: why.to_owned() }
    }

    /// Where the crate files are.
    pub async fn downloads(&self) -> Result<Downloads, FetchError> {
        self.downloads.current(&self.client, &self.settings).await
    }

    /// When a version was published, if a file that is kept says so. Asks nothing.
    pub async fn published_at(&self, name: &CrateName, version: &Version) -> Option<DateTime<Utc>> {
        self.kept_file(&index_path(name)).await?.file.published_at(version)
    }

    /// The file at a path of the index that is kept, however old. Asks nothing.
    pub(super) async fn kept_file(&self, path: &str) -> Option<Arc<IndexFile>> {
        match self.memory.get(path) {
            Some(file) => Some(file),
            None => self.load(path).await,
        }
    }

    /// By what the versions of a crate are judged, and the number of that state. The error if the database was not read yet.
    pub fn policy_of(&self, name: &CrateName) -> Result<(Policy, u64), Unread> {
        self.judging.policy_of(&self.settings, name)
    }
}
