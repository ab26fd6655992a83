//! The entries in memory, until a thread writes them to the database.
//!
//! An answer adds an entry and does not wait. The entries are bounded: if the database is away for long, further downloads are not
//! logged; a metric, the log of the process and the database count those.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::http::{HeaderMap, Method, StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

use crate::database::download_log::coverage::{self, Scope};
use crate::database::download_log::{self, Entry, Who};
use crate::database::{Pool, PoolError};
use crate::web::ClientAddress;
use crate::web::answers::crate_file::VersionFile;
use crate::web::limits::log_limit::LogLimit;
use crate::web::shortened::shortened;

/// Counter of downloads that could not be logged.
pub const UNLOGGED: &str = "supercargo_downloads_unlogged_total";

/// The largest number of entries in memory, a few hundred bytes each.
const MAX_ENTRIES: usize = 100_000;
/// Entries of one statement.
const BATCH: usize = 10_000;

/// The log. Clones share the entries.
#[derive(Clone, Default)]
pub struct DownloadLog(Option<Arc<Log>>);

struct Log {
    /// Which downloads are logged.
    scope: Scope,
    retention: TimeDelta,
    waiting: Mutex<Vec<Waiting>>,
    /// Downloads that are not logged, and not noted in the database.
    lost: AtomicI64,
    complaint: LogLimit,
}

/// An entry that is not in the database yet.
struct Waiting {
    at: DateTime<Utc>,
    /// Empty for this registry.
    upstream: Arc<str>,
    file: Arc<VersionFile>,
    by: By,
    is_delivered: bool,
}

/// Who sent a request, as far as it is logged.
#[derive(Clone, Debug)]
struct By {
    who: Option<Who>,
    address: Option<IpAddr>,
    user_agent: Option<Box<str>>,
}

/// The client of a download. It knows nothing if its downloads are not logged.
#[derive(Clone, Debug)]
pub struct Downloader(Option<By>);

/// Entries could not be written. They are kept.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

impl DownloadLog {
    /// A log of downloads with a token, or of all, that is kept for so long.
    pub fn new(scope: Scope, retention: TimeDelta) -> Self {
        let (waiting, lost, complaint) = (Mutex::default(), AtomicI64::new(0), LogLimit::new());
        Self(Some(Arc::new(Log { scope, retention, waiting, lost, complaint })))
    }

    /// Describes the metric.
    pub fn describe() {
        metrics::describe_counter!(
            UNLOGGED,
            "Downloads that are missing in the download log because the database was unavailable for too long"
        );
        metrics::counter!(UNLOGGED).absolute(0);
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Notes in the database what is logged from now on; how long entries are kept, also of a log that was turned off. None if there are
    /// none.
    pub fn note_setting(&self, pool: &Pool) -> Result<Option<TimeDelta>, LogError> {
        let (scope, retention) = self.0.as_deref().map_or((Scope::None, None), |log| (log.scope, Some(log.retention)));
        Ok(pool.with(|connection| coverage::set(connection, scope, retention))??.map(|setting| setting.retention()))
    }

    /// Logs the answer to a request for a crate file of this registry, if it sends any of its bytes.
    pub fn note(&self, file: &Arc<VersionFile>, method: &Method, status: StatusCode, downloader: Downloader) {
        if sends(method, status) {
            self.add("", file, downloader, true);
        }
    }

    /// The same for a crate file of an upstream. A refusal is logged as well: by a rule or an age, or of another file than that of the
    /// index.
    pub fn note_upstream(
        &self,
        upstream: &str,
        file: &Arc<VersionFile>,
        (method, status): (&Method, StatusCode),
        downloader: Downloader,
    ) {
        let is_refused = *method == Method::GET && [StatusCode::FORBIDDEN, StatusCode::BAD_GATEWAY].contains(&status);
        if is_refused || sends(method, status) {
            self.add(upstream, file, downloader, !is_refused);
        }
    }

    fn add(&self, upstream: &str, file: &Arc<VersionFile>, Downloader(by): Downloader, is_delivered: bool) {
        let (Some(log), Some(by)) = (self.0.as_deref(), by) else { return };
        let entry = Waiting { at: Utc::now(), upstream: upstream.into(), file: Arc::clone(file), by, is_delivered };
        let mut waiting = log.waiting.lock();
        if waiting.len() < MAX_ENTRIES {
            waiting.push(entry);
            return;
        }
        drop(waiting);
        log.lose(1);
    }

    /// Entries that are not in the database yet.
    pub fn waiting(&self) -> usize {
        self.0.as_deref().map_or(0, |log| log.waiting.lock().len())
    }

    /// Writes the entries to the database. If this fails, those that are not written are kept.
    ///
    /// # Errors
    ///
    /// A [`LogError`] if the database is unavailable.
    pub fn flush(&self, pool: &Pool) -> Result<(), LogError> {
        let Some(log) = self.0.as_deref() else { return Ok(()) };
        let gathered = std::mem::take(&mut *log.waiting.lock());
        let mut rest = &gathered[..];
        let mut outcome = Ok(());
        while let Some(batch) = rest.chunks(BATCH).next().filter(|_| outcome.is_ok()) {
            outcome = write(pool, batch);
            if outcome.is_ok() {
                rest = &rest[batch.len()..];
            }
        }
        let written = gathered.len() - rest.len();
        log.put_back(gathered, written);
        outcome?;
        let lost = log.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let noted = pool.with(|connection| coverage::add_lost(connection, lost)).map_err(LogError::from);
            noted.and_then(|noted| Ok(noted?)).inspect_err(|_| {
                log.lost.fetch_add(lost, Ordering::Relaxed);
            })?;
        }
        Ok(())
    }
}

impl Log {
    /// Keeps the entries that were not written, before those that came meanwhile.
    fn put_back(&self, mut gathered: Vec<Waiting>, written: usize) {
        if written == gathered.len() {
            return;
        }
        gathered.drain(..written);
        let mut waiting = self.waiting.lock();
        gathered.append(&mut waiting);
        let lost = gathered.len().saturating_sub(MAX_ENTRIES);
        gathered.truncate(MAX_ENTRIES);
        *waiting = gathered;
        drop(waiting);
        if lost > 0 {
            self.lose(i64::try_from(lost).unwrap_or(i64::MAX));
        }
    }

    fn lose(&self, count: i64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
        metrics::counter!(UNLOGGED).increment(count.cast_unsigned());
        if self.complaint.count().is_some() {
            let lost = self.lost.load(Ordering::Relaxed);
            tracing::error!(
                lost,
                "downloads cannot be logged: the database has been away for too long, and {MAX_ENTRIES} wait for it"
            );
        }
    }
}

/// Whether an answer sends a crate file, or a part of it.
fn sends(method: &Method, status: StatusCode) -> bool {
    *method == Method::GET && [StatusCode::OK, StatusCode::PARTIAL_CONTENT, StatusCode::FOUND].contains(&status)
}

fn write(pool: &Pool, batch: &[Waiting]) -> Result<(), LogError> {
    let entries: Vec<Entry> = batch.iter().map(Waiting::entry).collect();
    pool.with(|connection| download_log::add(connection, &entries))??;
    Ok(())
}

impl Waiting {
    fn entry(&self) -> Entry {
        let By { who, address, user_agent } = &self.by;
        Entry {
            at: self.at,
            upstream: self.upstream.to_string(),
            name: self.file.name.clone(),
            version: self.file.num.clone(),
            checksum: self.file.checksum,
            who: who.clone(),
            address: address.map(|address| address.to_string()),
            user_agent: user_agent.as_deref().map(str::to_owned),
            is_delivered: self.is_delivered,
        }
    }
}

impl Downloader {
    /// The client of a request without a token. None if the request has one: its user is not known yet.
    pub fn without_token(log: &DownloadLog, client: ClientAddress, headers: &HeaderMap) -> Option<Self> {
        match log.0.as_deref() {
            None => Some(Self(None)),
            Some(_) if headers.contains_key(header::AUTHORIZATION) => None,
            Some(log) => Some(Self::of(log, None, client, headers)),
        }
    }

    /// The client of a request with the token of this user, or without one.
    pub fn known(log: &DownloadLog, who: Option<Who>, client: ClientAddress, headers: &HeaderMap) -> Self {
        log.0.as_deref().map_or(Self(None), |log| Self::of(log, who, client, headers))
    }

    fn of(log: &Log, who: Option<Who>, client: ClientAddress, headers: &HeaderMap) -> Self {
        if who.is_none() && log.scope < Scope::All {
            return Self(None);
        }
        let user_agent = headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        let user_agent = user_agent.map(|agent| shortened(&agent).into());
        Self(Some(By { who, address: client.ip(), user_agent }))
    }
}
