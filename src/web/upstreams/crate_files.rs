//! The crate files of upstreams: from the store, or fetched once for all who wait, and stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quick_cache::sync::Cache;
use serde_json::json;

use super::client::FetchError;
use super::crate_file_turn::{Turn, turn};
use super::measures;
use super::transfer::{MAX_FILE, Transfer, TransferError, keep};
use super::upstream::Upstream;
use crate::crate_store::CrateStore;
use crate::database::access::audit::Action;
use crate::database::upstream_sharing::requests::Outcome;
use crate::fault;
use crate::package::{Checksum, CrateName, Version};
use crate::upstream::download_url;
use crate::upstream_cache::eviction;

/// How long a file with another checksum is not fetched again.
const MISMATCH: Duration = Duration::from_secs(60);
/// How often the use of a file is noted.
const NOTED: Duration = Duration::from_secs(3600);
/// How many checksums are known for each of these.
const KNOWN: usize = 10_000;
/// The longest that a transfer takes, from its request to its end.
const LONGEST: Duration = Duration::from_secs(600);

/// The name of an upstream, and the checksum of a file.
type FileOf = (String, Checksum);

/// A file that has arrived, and what it was made from.
struct Arrived {
    content: Bytes,
    outcome: &'static str,
}

/// Crate files of all upstreams, by their checksums.
#[derive(Clone)]
pub struct CrateFiles(Arc<Parts>);

struct Parts {
    store: CrateStore,
    /// By upstream and checksum: the index of one may name a file of another, and send something else.
    under_way: Mutex<HashMap<FileOf, Arc<Transfer>>>,
    refused: Cache<FileOf, (Instant, TransferError)>,
    noted: Cache<Checksum, Instant>,
}

impl CrateFiles {
    pub fn new(store: CrateStore) -> Self {
        Self(Arc::new(Parts {
            store,
            under_way: Mutex::default(),
            refused: Cache::new(KNOWN),
            noted: Cache::new(KNOWN),
        }))
    }

    pub fn store(&self) -> &CrateStore {
        &self.0.store
    }

    /// Whether it was noted not long ago that a file was used.
    pub fn is_use_noted(&self, checksum: Checksum) -> bool {
        self.0.noted.get(&checksum).is_some_and(|at| at.elapsed() < NOTED)
    }

    /// Notes that a file was used, so that others are removed first. Blocks.
    pub fn note_use(&self, checksum: Checksum) {
        if self.is_use_noted(checksum) {
            return;
        }
        self.0.noted.insert(checksum, Instant::now());
        eviction::touch(&self.0.store, checksum);
    }

    /// The transfer of a file, which is under way or begins now.
    pub fn fetch(
        &self,
        upstream: &Arc<Upstream>,
        (name, version): (CrateName, Version),
        checksum: Checksum,
    ) -> Arc<Transfer> {
        let mut under_way = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (upstream.settings.name.clone(), checksum);
        if let Some(transfer) = under_way.get(&key) {
            return Arc::clone(transfer);
        }
        let transfer = Arc::new(Transfer::new());
        if let Some((_, error)) = self.0.refused.get(&key).filter(|(at, _)| at.elapsed() < MISMATCH) {
            transfer.end(Err(error));
            return transfer;
        }
        under_way.insert(key.clone(), Arc::clone(&transfer));
        let landing = Landing { files: self.clone(), key, transfer: Arc::clone(&transfer) };
        let upstream = Arc::clone(upstream);
        let runtime = upstream.runtime.clone();
        runtime.spawn(async move {
            let running = landing.files.run(&upstream, (&name, &version), checksum, &landing.transfer);
            let ended = tokio::time::timeout(LONGEST, running).await;
            let ended = ended.unwrap_or(Err(TransferError::TooLong(LONGEST)));
            note(&upstream, (&name, &version), &ended);
            landing.end(ended.map(|arrived| arrived.content));
        });
        transfer
    }

    async fn run(
        &self,
        upstream: &Arc<Upstream>,
        (name, version): (&CrateName, &Version),
        checksum: Checksum,
        transfer: &Transfer,
    ) -> Result<Arrived, TransferError> {
        let lease = match turn(self.store(), upstream, checksum, transfer).await? {
            Turn::Fetch(lease) => lease,
            Turn::Stored(content) => return Ok(Arrived { content, outcome: measures::SHARED }),
        };
        let fetched = self.fetch_now(upstream, (name, version), checksum, transfer).await;
        if let Some(lease) = lease {
            lease.end(Outcome::Failed).await;
        }
        fetched.map(|content| Arrived { content, outcome: measures::FETCHED })
    }

    async fn fetch_now(
        &self,
        upstream: &Arc<Upstream>,
        (name, version): (&CrateName, &Version),
        checksum: Checksum,
        transfer: &Transfer,
    ) -> Result<Bytes, TransferError> {
        let downloads = upstream.downloads().await?;
        let url = download_url(&downloads.dl, name, version, checksum);
        let failed = |fault: fault::Fault| FetchError::Unreachable { url: url.clone(), problem: fault.to_string() };
        fault::point("upstream.file_wanted").map_err(failed)?;
        let (mut response, _permit) = upstream.client.crate_file(&url, downloads.auth_required).await?;
        let too_large = || FetchError::TooLarge { url: url.clone(), limit: MAX_FILE };
        let length = response.content_length();
        if length.is_some_and(|length| length > MAX_FILE) {
            return Err(too_large().into());
        }
        transfer.announce(length);
        let mut size = 0;
        loop {
            let unreachable = |error: reqwest::Error| FetchError::Unreachable {
                url: url.clone(),
                problem: error.without_url().to_string(),
            };
            let Some(piece) = response.chunk().await.map_err(unreachable)? else { break };
            size += piece.len() as u64;
            if size > MAX_FILE {
                return Err(too_large().into());
            }
            let room = upstream.room_for(piece.len()).await.ok_or(TransferError::Crowded)?;
            transfer.add(piece, room);
        }
        fault::point("upstream.file_arrived").map_err(failed)?;
        let whole = transfer.whole(&url, checksum)?;
        let (store, content) = (self.0.store.clone(), whole.clone());
        let kept = upstream.runtime.spawn_blocking(move || keep(&store, checksum, &content)).await;
        kept.map_err(|_| TransferError::Aborted)?;
        Ok(whole)
    }
}

fn note(upstream: &Upstream, (name, version): (&CrateName, &Version), ended: &Result<Arrived, TransferError>) {
    let of = &upstream.settings.name;
    match ended {
        Ok(arrived) => measures::crate_file(of, arrived.outcome),
        Err(TransferError::Mismatch { found, expected, .. }) => {
            measures::crate_file(of, measures::MISMATCH);
            let detail = json!({ "crate": name, "version": version, "found": found, "expected": expected });
            upstream.alarm.raise(&upstream.runtime, Action::UpstreamMismatch, of, detail);
        }
        Err(error) => {
            measures::crate_file(of, measures::FAILED);
            tracing::warn!(upstream = of, crate_name = %name, %version, %error, "a crate file of an upstream cannot be fetched");
        }
    }
}

/// Takes a transfer out of the list, also after a panic.
struct Landing {
    files: CrateFiles,
    key: FileOf,
    transfer: Arc<Transfer>,
}

impl Landing {
    fn end(self, ended: Result<Bytes, TransferError>) {
        if let Err(error @ TransferError::Mismatch { .. }) = &ended {
            self.files.0.refused.insert(self.key.clone(), (Instant::now(), error.clone()));
        }
        // Before the clients know the end: one that asks again at once begins a transfer of its own.
        self.leave();
        self.transfer.end(ended);
    }

    fn leave(&self) {
        let mut under_way = self.files.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.get(&self.key).is_some_and(|listed| Arc::ptr_eq(listed, &self.transfer)) {
            under_way.remove(&self.key);
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.leave();
        self.transfer.abort();
    }
}
