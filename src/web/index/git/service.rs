//! Answers to requests of the git protocol: from memory if possible, else from the answer cache or a git process.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use bytes::Bytes;

use super::capabilities::Advertised;
use super::context::Context;
use super::fetch_permits::{AnswerPermit, Client, ProcessPermit};
use super::git_process::{self, Job};
use super::limits::Limits;
use super::request::{self, CacheKey, Request};
use super::spool::{End, Reader, Writer};
use super::version::Version;
use super::{body, references, response_body, responses};
use crate::index::{Index, References};
use crate::web::client_address::ClientAddress;
use crate::web::index::blocking::blocking;
use crate::web::index::plain_text::{SHUTTING_DOWN, unavailable};

/// Serves the git protocol of one index. Clones share its limits.
#[derive(Debug, Clone)]
pub struct GitService(Arc<Context>);

impl GitService {
    /// A service for the index with the default limits.
    pub fn new(index: &Index) -> GitService {
        GitService::with_limits(index, Limits::default())
    }

    /// A service for the index with these limits.
    pub fn with_limits(index: &Index, limits: Limits) -> GitService {
        GitService(Arc::new(Context::new(index, limits)))
    }

    /// The answer to `info/refs`.
    pub async fn info_refs(&self, version: Version) -> Response<Body> {
        match self.advertisement(version).await {
            Ok(content) => responses::success(responses::ADVERTISEMENT, content.into()),
            Err(response) => response,
        }
    }

    async fn advertisement(&self, version: Version) -> Result<Bytes, Response<Body>> {
        let Context { index, capabilities: git, .. } = &*self.0;
        if version == Version::V2 {
            let advertised = git.v2(index).await.map_err(responses::without_capabilities)?;
            return Ok(advertised.answer.clone());
        }
        let references = self.read_references().await?;
        let is_plain = !references.is_shallow && (references.head.is_some() || !references.others.is_empty());
        if is_plain && let Ok(capabilities) = git.v0(index).await.map_err(responses::without_capabilities)? {
            return Ok(references::advertised(&references, &capabilities, version).into());
        }
        let answer = git.uncached(index, version).await.map_err(responses::without_capabilities)?;
        Ok([references::preamble(version), &answer].concat().into())
    }

    async fn read_references(&self) -> Result<References, Response<Body>> {
        let index = self.0.index.clone();
        match blocking(move || index.references()).await {
            Some(Ok(references)) => Ok(references),
            Some(Err(error)) => Err(responses::unreadable(&error)),
            None => Err(unavailable(SHUTTING_DOWN)),
        }
    }

    /// The answer to `git-upload-pack`.
    pub async fn upload_pack(&self, headers: &HeaderMap, address: ClientAddress, body: Body) -> Response<Body> {
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
        let Context { index, permits, capabilities: git, .. } = &*self.0;
        let version = Version::of(headers);
        let request = permits.client(address).request().await.map_err(responses::full)?;
        let body = body::read(headers, body, &permits.request_kib).await?;
        let advertised = git.v2(index).await.map_err(responses::without_capabilities)?;
        match self.parse(body.decoded(), version, advertised).await? {
            Request::Probe => Ok(responses::success(responses::RESULT, Body::empty())),
            Request::References(request) => {
                let listed = references::listed(&self.read_references().await?, &request);
                Ok(responses::success(responses::RESULT, listed.into()))
            }
            Request::Objects(fetch) => {
                // Not the permit of the request, so that lists of references do not wait behind clones.
                let permit = Arc::clone(&request.client).answer(fetch.is_clone).await.map_err(responses::full)?;
                drop(request);
                let client = &permit.client;
                let length = fetch.length;
                let job = |process| Job { body, length, version, process };
                let reader = match fetch.cache_key {
                    Some(key) => self.shared_reader(key, client, job).await?,
                    None => {
                        let process = client.process(fetch.is_clone).await.map_err(responses::full)?;
                        let (spool, reader) = self.0.spool();
                        tokio::spawn(git_process::write(Arc::clone(&self.0), Writer(spool), job(process)));
                        reader
                    }
                };
                Ok(self.respond(reader, permit).await)
            }
        }
    }

    /// Parses a request on a thread that may block.
    async fn parse(
        &self,
        body: Box<dyn io::Read + Send>,
        version: Version,
        advertised: &Advertised,
    ) -> Result<Request, Response<Body>> {
        let _permit = self.0.parsing.acquire().await;
        let advertised = advertised.clone();
        match blocking(move || request::read(body, version, &advertised)).await {
            Some(request) => request.map_err(responses::refused),
            None => Err(unavailable(SHUTTING_DOWN)),
        }
    }

    /// A reader of an answer that clients share. It reads the cached answer as soon as there is one, or a new answer as
    /// soon as this client has the permit for a process. Such an answer is that to a clone.
    async fn shared_reader(
        &self,
        key: CacheKey,
        client: &Client,
        job: impl FnOnce(ProcessPermit) -> Job,
    ) -> Result<Reader, Response<Body>> {
        let cache = &self.0.cache;
        cache.sweep(&tips(&self.read_references().await?));
        let mut permit = pin!(client.process(true));
        let process = loop {
            // Enabled before the look into the cache, so that no answer is missed.
            let mut added = pin!(cache.added());
            added.as_mut().enable();
            if let Some(reader) = cache.attach(&key) {
                return Ok(reader);
            }
            tokio::select! {
                process = &mut permit => break process.map_err(responses::full)?,
                () = added => {}
            }
        };
        let (reader, new) = cache.reader(key, client.address(), || self.0.spool());
        if let Some(spool) = new {
            tokio::spawn(git_process::write(Arc::clone(&self.0), Writer(spool), job(process)));
            self.sweep_later();
        }
        Ok(reader)
    }

    /// Responds with what the reader reads. The first piece decides the status.
    async fn respond(&self, mut reader: Reader, permit: AnswerPermit) -> Response<Body> {
        match reader.next().await {
            Ok(first) => {
                let body = response_body::body(first, reader, permit, &self.0.limits);
                responses::success(responses::RESULT, body)
            }
            Err(End::Whole) => responses::success(responses::RESULT, Body::empty()),
            Err(End::Refused(problem)) => responses::invalid(&problem),
            Err(End::TooExpensive) => responses::too_expensive(),
            Err(End::Failed) => responses::failed(),
        }
    }

    /// Removes old answers from the cache even if no further request comes.
    fn sweep_later(&self) {
        if self.0.is_swept.swap(true, Ordering::SeqCst) {
            return;
        }
        let (service, interval) = (Arc::downgrade(&self.0), self.0.limits.cached_outdated);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                let Some(context) = service.upgrade() else { return };
                let index = context.index.clone();
                let tips = match blocking(move || index.references()).await {
                    Some(Ok(references)) => tips(&references),
                    _ => Vec::new(),
                };
                if !context.cache.sweep(&tips) {
                    context.is_swept.store(false, Ordering::SeqCst);
                    return;
                }
            }
        });
    }
}

/// The commits that references lead to.
fn tips(references: &References) -> Vec<String> {
    let others = references.others.iter().map(|reference| &reference.id);
    references.head.iter().chain(others).map(ToString::to_string).collect()
}
