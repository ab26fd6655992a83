//! The git protocol's answers: from memory where that is possible, from another client's fetch where it asked the same, and
//! from a git process otherwise.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use nix::sys::statvfs::statvfs;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::body::{self, TOO_LARGE, TOO_MANY};
use super::child::{self, Job};
use super::follow;
use super::kept::Kept;
use super::limits::{AnswerPermit, Client, Full, Limits, ProcessPermit, Room, Shared};
use super::protocol::{Advertised, GitItself, Version};
use super::references;
use super::request::{self, Asked, Refused};
use super::spool::{End, Reader, Spool, Writing};
use crate::index::{Index, IndexError, PackSizes, References, readable_stderr};
use crate::web::ClientAddress;
use crate::web::index::blocking;
use crate::web::index::plain_text::{sentence, too_many, unavailable};

/// Requests that are unpacked and read at once.
const READING: usize = 4;

/// How often the log says that git failed or reached a limit: strangers may cause it.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// How many characters of a complaint are passed on.
const MAX_COMPLAINT: usize = 120;

const GIT_FAILED: &str = "git failed on the server; its log tells why.";
const SHUTTING_DOWN: &str = "The server is shutting down.";

/// Serves the git protocol of one index. Clones share its limits.
#[derive(Debug, Clone)]
pub struct GitService(Arc<Parts>);

/// What a service is made of.
#[derive(Debug)]
pub struct Parts {
    pub index: Index,
    pub shared: Arc<Shared>,
    pub room: Arc<Room>,
    pub kept: Kept,
    git: GitItself,
    reading: Semaphore,
    is_swept: AtomicBool,
    warned_of_limits: Seldom,
    warned_of_failures: Seldom,
}

impl GitService {
    /// A service for the index with the default limits.
    pub fn new(index: &Index) -> GitService {
        GitService::with_limits(index, Limits::default())
    }

    /// A service with other limits.
    pub fn with_limits(index: &Index, limits: Limits) -> GitService {
        GitService(Arc::new(Parts {
            index: index.clone(),
            shared: Shared::new(limits),
            room: Arc::new(Room::new(limits.spooled)),
            kept: Kept::new(limits),
            git: GitItself::default(),
            reading: Semaphore::new(READING),
            is_swept: AtomicBool::new(false),
            warned_of_limits: Seldom::default(),
            warned_of_failures: Seldom::default(),
        }))
    }

    /// What there is to fetch, for `info/refs`.
    pub async fn references(&self, version: Version) -> Response<Body> {
        match self.advertisement(version).await {
            Ok(content) => answered("application/x-git-upload-pack-advertisement", content.into()),
            Err(refusal) => refusal,
        }
    }

    async fn advertisement(&self, version: Version) -> Result<Bytes, Response<Body>> {
        let Parts { index, git, .. } = &*self.0;
        if version == Version::V2 {
            return git.advertised(index).await.map(|advertised| advertised.answer.clone()).map_err(git_failed);
        }
        let references = self.read_references().await?;
        let is_plain = !references.is_shallow && (references.head.is_some() || !references.others.is_empty());
        if is_plain && let Ok(capabilities) = git.capabilities(index).await.map_err(git_failed)? {
            return Ok(references::listed(&references, &capabilities, version).into());
        }
        let answer = git.answer(index, version).await.map_err(git_failed)?;
        Ok([references::preamble(version), &answer].concat().into())
    }

    async fn read_references(&self) -> Result<References, Response<Body>> {
        let index = self.0.index.clone();
        match blocking(move || index.references()).await {
            Some(Ok(references)) => Ok(references),
            Some(Err(error)) => Err(unreadable(&error)),
            None => Err(unavailable(SHUTTING_DOWN)),
        }
    }

    /// The answer to a request to `git-upload-pack`.
    pub async fn fetch(&self, headers: &HeaderMap, address: ClientAddress, body: Body) -> Response<Body> {
        match self.answer(headers, address, body).await {
            Ok(response) | Err(response) => response,
        }
    }

    async fn answer(
        &self,
        headers: &HeaderMap,
        address: ClientAddress,
        body: Body,
    ) -> Result<Response<Body>, Response<Body>> {
        let Parts { index, shared, git, .. } = &*self.0;
        let version = Version::of(headers);
        let permit = shared.client(address).answer().await.map_err(no_room)?;
        let sent = body::read(headers, body, &shared.request_kib).await?;
        let advertised = git.advertised(index).await.map_err(git_failed)?;
        match self.read(sent.unpacked(), version, advertised).await? {
            Asked::Nothing => Ok(answered(RESULT, Body::empty())),
            Asked::References(wanted) => {
                let found = references::found(&self.read_references().await?, &wanted);
                Ok(answered(RESULT, found.into()))
            }
            Asked::Objects(mut objects) => {
                let key = objects.key.take();
                let client = &permit.client;
                let length = objects.length;
                let job = |process| Job { sent, length, version, process };
                let reader = match key {
                    Some(key) => self.shared_reader(&key, objects.wants, client, job).await?,
                    None => {
                        let process = client.process().await.map_err(no_room)?;
                        let (spool, reader) = self.0.spool();
                        tokio::spawn(child::write(Arc::clone(&self.0), Writing(spool), job(process)));
                        reader
                    }
                };
                Ok(self.follow(reader, permit).await)
            }
        }
    }

    /// Reads a request on a thread that may be busy with it.
    async fn read(
        &self,
        body: Box<dyn io::Read + Send>,
        version: Version,
        advertised: &Advertised,
    ) -> Result<Asked, Response<Body>> {
        let _permit = self.0.reading.acquire().await;
        let advertised = advertised.clone();
        let Some(read) = blocking(move || request::read(body, version, &advertised)).await else {
            return Err(unavailable(SHUTTING_DOWN));
        };
        read.map_err(|refused| match refused {
            Refused::Garbage(what) => not_understood(&what),
            Refused::TooLarge => sentence(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE),
            Refused::NotPacked => sentence(StatusCode::BAD_REQUEST, "The request says it is gzip, but it isn't."),
        })
    }

    /// A reader of what others may get, too: of what is there, as soon as it is, or else of an own one when it is this client's
    /// turn.
    async fn shared_reader(
        &self,
        key: &[u8],
        wants: Vec<Vec<u8>>,
        client: &Client,
        job: impl FnOnce(ProcessPermit) -> Job,
    ) -> Result<Reader, Response<Body>> {
        let kept = &self.0.kept;
        kept.sweep(&tips(&self.read_references().await?));
        let mut turn = pin!(client.process());
        let process = loop {
            // From here on none is missed.
            let mut added = pin!(kept.added());
            added.as_mut().enable();
            if let Some(reader) = kept.attach(key) {
                return Ok(reader);
            }
            tokio::select! {
                process = &mut turn => break process.map_err(no_room)?,
                () = added => {}
            }
        };
        let (reader, new) = kept.reader(key, wants, client.address(), || self.0.spool());
        if let Some(spool) = new {
            tokio::spawn(child::write(Arc::clone(&self.0), Writing(spool), job(process)));
            self.sweep_later();
        }
        Ok(reader)
    }

    /// Answers with what the reader finds, once there is something: it decides the status.
    async fn follow(&self, mut reader: Reader, permit: AnswerPermit) -> Response<Body> {
        match reader.next().await {
            Ok(first) => answered(RESULT, follow::body(first, reader, permit, &self.0.shared.limits)),
            Err(End::Whole) => answered(RESULT, Body::empty()),
            Err(End::Refused(complaint)) => not_understood(&complaint),
            Err(End::TooExpensive) => {
                let text = "The fetch takes more memory or time than the server gives it: clone with --depth 1, or use \
                            the sparse index.";
                sentence(StatusCode::SERVICE_UNAVAILABLE, text)
            }
            Err(End::Failed) => sentence(StatusCode::INTERNAL_SERVER_ERROR, GIT_FAILED),
        }
    }

    /// Forgets kept answers in time, also when nobody asks any more.
    fn sweep_later(&self) {
        if self.0.is_swept.swap(true, Ordering::SeqCst) {
            return;
        }
        let (service, every) = (Arc::downgrade(&self.0), self.0.shared.limits.kept_behind);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(parts) = service.upgrade() else { return };
                let index = parts.index.clone();
                let tips = match blocking(move || index.references()).await {
                    Some(Ok(references)) => tips(&references),
                    _ => Vec::new(),
                };
                if !parts.kept.sweep(&tips) {
                    parts.is_swept.store(false, Ordering::SeqCst);
                    return;
                }
            }
        });
    }
}

impl Parts {
    fn spool(&self) -> (Arc<Spool>, Reader) {
        Spool::new(self.index.path(), Arc::clone(&self.room))
    }

    /// Sets how much of the disk answers may take: several clones, and never more than half of what is free.
    pub fn bound_the_disk(&self, sizes: PackSizes) {
        let limits = &self.shared.limits;
        let wanted = limits.spooled + limits.spooled_indexes * sizes.packs;
        let free = statvfs(self.index.path()).map_or(0, |disk| disk.blocks_available() * disk.fragment_size());
        self.room.set_limit(wanted.min(self.room.used() + free / 2));
    }

    /// Says that git reached a limit, now and then.
    pub fn warn_of_a_limit(&self, how: &str, said: &[u8]) {
        let stderr = readable_stderr(said);
        if self.warned_of_limits.is_due() {
            tracing::warn!(how, stderr, "a fetch was ended by a limit of memory or time");
        } else {
            tracing::debug!(how, stderr, "a fetch was ended by a limit of memory or time");
        }
    }

    /// Says that git failed for another reason, now and then.
    pub fn warn_of_a_failure(&self, how: &str, said: &[u8]) {
        let stderr = readable_stderr(said);
        if self.warned_of_failures.is_due() {
            tracing::warn!(failure = how, stderr, "git upload-pack failed");
        } else {
            tracing::debug!(failure = how, stderr, "git upload-pack failed");
        }
    }
}

/// Something that is done once in [`WARN_EVERY`].
#[derive(Debug, Default)]
struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    fn is_due(&self) -> bool {
        let mut last = self.0.lock();
        let is_due = last.is_none_or(|at| at.elapsed() >= WARN_EVERY);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

const RESULT: &str = "application/x-git-upload-pack-result";

fn tips(references: &References) -> Vec<String> {
    references
        .head
        .iter()
        .chain(references.others.iter().map(|reference| &reference.id))
        .map(ToString::to_string)
        .collect()
}

fn answered(content_type: &'static str, body: Body) -> Response<Body> {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, max-age=0, must-revalidate")),
        (header::EXPIRES, HeaderValue::from_static("Fri, 01 Jan 1980 00:00:00 GMT")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
    ];
    (headers, body).into_response()
}

fn no_room(full: Full) -> Response<Body> {
    match full {
        Full::OfThisClient => too_many("Too many fetches at once from your address; try again in a few seconds."),
        Full::OfOthers => unavailable(TOO_MANY),
    }
}

/// What git would only complain about.
fn not_understood(what: &str) -> Response<Body> {
    // git's own words may repeat what the client sent.
    let what: String = what.chars().filter(|c| !c.is_control()).take(MAX_COMPLAINT).collect();
    tracing::debug!(what, "a fetch is refused");
    sentence(StatusCode::BAD_REQUEST, format!("The request does not follow git's protocol: {what}."))
}

fn unreadable(error: &IndexError) -> Response<Body> {
    tracing::error!(error = error as &dyn std::error::Error, "the index can't be read");
    sentence(StatusCode::INTERNAL_SERVER_ERROR, GIT_FAILED)
}

fn git_failed(error: io::Error) -> Response<Body> {
    tracing::error!(error = &error as &dyn std::error::Error, "git can't serve the index");
    sentence(StatusCode::INTERNAL_SERVER_ERROR, GIT_FAILED)
}
