//! Versions that a command wants in the cache: looked up, judged as for a client, and fetched. These functions block.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use serde::Deserialize;
use tokio::runtime::Handle;

use super::client::FetchError;
use super::crate_files::CrateFiles;
use super::in_index::{InIndex, find, in_file};
use super::index_file::IndexFile;
use super::judging::Unread;
use super::of_process::Upstreams;
use super::perseverance::{GaveUp, MayBeFetch, Stopped, pause, persevere};
use super::transfer::TransferError;
use super::upstream::Upstream;
use crate::crate_store::CrateStoreError;
use crate::package::index_path::index_path;
use crate::package::{Checksum, CrateName, Version};
use crate::upstream_cache::kept_file::KeptFile;
use crate::upstream_cache::lines::lines;
use crate::upstream_cache::verdict::{Delivery, Policy};

/// How long ago an index file was confirmed at most, to count as confirmed now.
const JUST_NOW: Duration = Duration::from_secs(5);
/// How often a file that was not confirmed is asked for again.
const CONFIRMATIONS: u32 = 20;

/// A version that may be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The name in the spelling of the index.
    pub name: CrateName,
    pub version: Version,
    pub checksum: Checksum,
}

/// A version in the index of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub version: Resolved,
    pub yanked: bool,
    /// Why it is not delivered, if it is not.
    pub refused: Option<String>,
}

/// A file that is in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obtained {
    /// In bytes.
    pub size: u64,
    /// Whether it was not there before.
    pub is_new: bool,
}

/// Why a version is not in the cache.
#[derive(Debug, thiserror::Error)]
pub enum NotObtained {
    #[error("there is no upstream {0:?}")]
    NoUpstream(String),
    #[error("it is not in the index of {0}")]
    Absent(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Failed(String),
    #[error("its file was fetched and cannot be kept: see the log")]
    NotKept,
    #[error("it cannot be pinned: {0}")]
    Pin(String),
    #[error(transparent)]
    Store(#[from] CrateStoreError),
    #[error("the rules about upstreams cannot be read, because the database is away")]
    RulesUnread,
    #[error("stopped")]
    Stopped,
}

impl NotObtained {
    /// Whether a next version would meet the same.
    pub fn ends_all(&self) -> bool {
        matches!(self, Self::NotKept | Self::Pin(_) | Self::Store(_) | Self::RulesUnread | Self::Stopped)
    }
}

impl From<Unread> for NotObtained {
    fn from(_: Unread) -> Self {
        Self::RulesUnread
    }
}

impl From<GaveUp<FetchError>> for NotObtained {
    fn from(gave_up: GaveUp<FetchError>) -> Self {
        match gave_up {
            GaveUp::Failed(error) => Self::Failed(error.to_string()),
            GaveUp::Stopped => Self::Stopped,
        }
    }
}

impl MayBeFetch for TransferError {
    fn of_fetch(&self) -> Option<&FetchError> {
        match self {
            Self::Fetch(error) => Some(error),
            _ => None,
        }
    }
}

/// What is read of a line besides.
#[derive(Deserialize)]
struct Yanked {
    yanked: Option<bool>,
}

impl Upstreams {
    /// The index file that is kept of an upstream. Blocks.
    pub fn kept_index_file(&self, of: &str, path: &str) -> io::Result<Option<KeptFile>> {
        let Some(upstream) = self.find(of) else { return Ok(None) };
        let read = upstream.runtime.block_on(upstream.shelf.read(path));
        Ok(read?.map(|file| file.file))
    }

    /// Why a version of an index file would not be delivered, if it would not.
    pub fn refusal_of(
        &self,
        of: &str,
        (file, name, version): (&KeptFile, &CrateName, &Version),
    ) -> Result<Option<String>, NotObtained> {
        let (upstream, files) = self.parts(of)?;
        let (policy, _) = upstream.policy_of(name)?;
        let file = Arc::new(IndexFile::new(file.clone(), None));
        let found = in_file(&file, version, &policy).ok_or_else(|| NotObtained::Absent(of.to_owned()))?;
        refused(&found, (upstream, files), version, &policy)
    }

    /// Keeps an index file of an upstream, in place of the one that is kept. Blocks.
    pub fn keep_index_file(&self, of: &str, path: &str, file: KeptFile) -> io::Result<()> {
        let upstream = self.find(of).ok_or_else(|| io::Error::other(format!("there is no upstream {of:?}")))?;
        upstream.runtime.block_on(upstream.shelf.bring(path, file))
    }

    /// Begins at most so many requests a second to an upstream.
    pub fn set_rate(&self, of: &str, per_second: f64) {
        if let Some(upstream) = self.find(of) {
            upstream.client.set_rate(per_second);
        }
    }

    /// Looks up a version that is wanted, and says why if it is not available.
    pub fn resolve(
        &self,
        of: &str,
        (name, version): (&CrateName, &Version),
        stopped: Stopped<'_>,
    ) -> Result<Resolved, NotObtained> {
        let (upstream, files) = self.parts(of)?;
        let (policy, _) = upstream.policy_of(name)?;
        let found = match persevere(&upstream.runtime, stopped, || find(upstream, (name, version), &policy))? {
            Some(found) => Some(found),
            // Without an answer the kept file was looked at.
            None => confirmed(upstream, &index_path(name), stopped)?.and_then(|file| in_file(&file, version, &policy)),
        };
        let found = found.ok_or_else(|| NotObtained::Absent(of.to_owned()))?;
        if let Some(why) = refused(&found, (upstream, files), version, &policy)? {
            return Err(NotObtained::Refused(why));
        }
        Ok(Resolved { name: found.name, version: version.clone(), checksum: found.checksum })
    }

    /// The versions of a crate, in the order of the index, as the upstream has confirmed them; None if there is no such crate.
    pub fn list(&self, of: &str, name: &CrateName, stopped: Stopped<'_>) -> Result<Option<Vec<Listed>>, NotObtained> {
        let (upstream, files) = self.parts(of)?;
        let (policy, _) = upstream.policy_of(name)?;
        let Some(file) = confirmed(upstream, &index_path(name), stopped)? else { return Ok(None) };
        let mut listed = Vec::new();
        for (text, line) in lines(&file.file.content) {
            let Some(line) = line else { continue };
            let (Ok(name), Ok(version), Ok(checksum)) = (line.name.parse(), line.vers.parse(), line.cksum.parse())
            else {
                continue;
            };
            let verdict = policy.judge(&file.file, &line, Utc::now());
            let found = InIndex { index: Arc::clone(&file), name, checksum, verdict };
            let refused = refused(&found, (upstream, files), &version, &policy)?;
            let yanked = serde_json::from_slice::<Yanked>(text).is_ok_and(|line| line.yanked == Some(true));
            listed.push(Listed { version: Resolved { name: found.name, version, checksum }, yanked, refused });
        }
        Ok(Some(listed))
    }

    /// Fetches the file of a version, unless it is kept. With `rehash` a kept file is read, and fetched again if it is damaged.
    pub fn obtain(
        &self,
        of: &str,
        wanted: &Resolved,
        (rehash, stopped): (bool, Stopped<'_>),
    ) -> Result<Obtained, NotObtained> {
        let (upstream, files) = self.parts(of)?;
        let Resolved { name, version, checksum } = wanted;
        if let Some(size) = kept(files, *checksum, rehash)? {
            files.note_use(*checksum);
            return Ok(Obtained { size, is_new: false });
        }
        let fetched = persevere(&upstream.runtime, stopped, || {
            let transfer = files.fetch(upstream, (name.clone(), version.clone()), *checksum);
            async move { transfer.wait().await }
        });
        let content = fetched.map_err(|gave_up| match gave_up {
            GaveUp::Failed(error) => NotObtained::Failed(error.to_string()),
            GaveUp::Stopped => NotObtained::Stopped,
        })?;
        match kept(files, *checksum, rehash)? {
            Some(_) => Ok(Obtained { size: content.len() as u64, is_new: true }),
            None => Err(NotObtained::NotKept),
        }
    }

    /// The line of a version, as the upstream has it.
    pub fn line(&self, of: &str, wanted: &Resolved, stopped: Stopped<'_>) -> Result<Bytes, NotObtained> {
        let (upstream, _) = self.parts(of)?;
        let path = index_path(&wanted.name);
        let file = persevere(&upstream.runtime, stopped, || upstream.index_file(&path))?;
        let version = wanted.version.to_string();
        let line = file.and_then(|file| {
            let mut found =
                lines(&file.file.content).filter(|(_, line)| line.as_ref().is_some_and(|line| line.vers == version));
            found.next().map(|(text, _)| file.file.content.slice_ref(text))
        });
        line.ok_or_else(|| NotObtained::Absent(of.to_owned()))
    }

    fn parts(&self, of: &str) -> Result<(&Arc<Upstream>, &CrateFiles), NotObtained> {
        let both = self.find(of).zip(self.files());
        both.ok_or_else(|| NotObtained::NoUpstream(of.to_owned()))
    }
}

/// Why a version is not delivered, if it is not.
fn refused(
    found: &InIndex,
    (upstream, files): (&Upstream, &CrateFiles),
    version: &Version,
    policy: &Policy,
) -> Result<Option<String>, NotObtained> {
    let is_delivered = match found.verdict.delivery(upstream.settings.cooldowns.is_strict) {
        Delivery::Always => true,
        Delivery::IfKept => files.store().contains(found.checksum)?,
        Delivery::Never => false,
    };
    Ok((!is_delivered).then(|| found.refusal(&upstream.settings.name, (&found.name, version), policy)))
}

/// The size of a kept file, in bytes; None if there is none, or a damaged one.
fn kept(files: &CrateFiles, checksum: Checksum, rehash: bool) -> Result<Option<u64>, CrateStoreError> {
    if !rehash {
        return files.store().size(checksum);
    }
    Ok(match files.store().digest(checksum)? {
        Some((found, size)) if found == checksum => Some(size),
        Some(_) => {
            tracing::warn!(%checksum, "a kept crate file of an upstream is damaged, and is fetched again");
            None
        }
        None => None,
    })
}

/// An index file that the upstream has confirmed a moment ago. Without an answer it would be an old one.
fn confirmed(
    upstream: &Arc<Upstream>,
    path: &str,
    stopped: Stopped<'_>,
) -> Result<Option<Arc<IndexFile>>, NotObtained> {
    let is_fresh = upstream.settings.fresh.max(JUST_NOW);
    let runtime: &Handle = &upstream.runtime;
    for _ in 0..CONFIRMATIONS {
        let file = persevere(runtime, stopped, || upstream.index_file(path))?;
        let Some(file) = file else { return Ok(None) };
        if upstream.client.is_offline() || file.age() < is_fresh {
            return Ok(Some(file));
        }
        let wait = upstream.client.pause_left().unwrap_or(Duration::from_millis(500)) + Duration::from_millis(10);
        pause(runtime, stopped, wait).ok_or(NotObtained::Stopped)?;
    }
    Err(NotObtained::Failed(format!("{} does not answer for its index file {path}", upstream.settings.name)))
}
