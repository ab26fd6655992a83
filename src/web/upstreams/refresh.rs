//! The request for an index file: by one machine of those that share the files, and what becomes of the answer.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::{Answer, FetchError};
use super::index_file::IndexFile;
use super::measures;
use super::sharing::{Lease, Turn};
use super::upstream::{Fetched, LONGEST, Upstream};
use crate::database::upstream_sharing::requests::{Outcome, Seen};
use crate::fault;
use crate::upstream_cache::kept_file::KeptFile;
use crate::upstream_cache::lines;

/// What a request begins with.
struct Beginning {
    /// None if the files are not shared, or the database is away.
    lease: Option<Lease>,
    former: Option<Arc<IndexFile>>,
    /// For how long the upstream has answered that there is no such file.
    absent_for: Duration,
}

impl Upstream {
    /// Asks whether a file has changed that was confirmed so long ago. Runs one at a time for a path.
    pub(super) async fn refresh(self: Arc<Self>, path: &str, age: Duration) -> Fetched {
        let former = self.present(path).await;
        if let Some(file) = former.as_ref().filter(|file| file.age() < age) {
            measures::index_file(&self.settings.name, measures::HIT);
            return Ok(Some(Arc::clone(file)).filter(|file| !file.is_of_no_version()));
        }
        let Beginning { lease, former, absent_for } = match self.turn(path, age, former).await {
            Ok(beginning) => beginning,
            Err(asked_elsewhere) => return Ok(asked_elsewhere),
        };
        let answered = self.ask(path, former.as_deref()).await;
        let (outcome, fetched) = self.take_over(path, answered, former, absent_for).await;
        if let Some(lease) = lease {
            lease.end(outcome).await;
        }
        fetched
    }

    /// The file in memory, or that of the shelf if there is none or a command has written another one.
    async fn present(&self, path: &str) -> Option<Arc<IndexFile>> {
        let Some(file) = self.memory.get(path) else { return self.load(path).await };
        let is_other = self.shelf.has_other(path, &file, self.client.is_offline()).await;
        if is_other { self.load(path).await.or(Some(file)) } else { Some(file) }
    }

    /// What this process begins with, if it is the one that asks. Otherwise what the upstream answered to another one.
    async fn turn(
        &self,
        path: &str,
        age: Duration,
        former: Option<Arc<IndexFile>>,
    ) -> Result<Beginning, Option<Arc<IndexFile>>> {
        let alone = |former| Ok(Beginning { lease: None, former, absent_for: Duration::ZERO });
        if self.client.asks_nothing() {
            return alone(former);
        }
        match self.shelf.turn(path, age, LONGEST).await {
            Turn::Ask(None) => alone(former),
            Turn::Ask(Some((lease, seen))) => {
                let former = self.newest(path, former, &seen).await;
                Ok(Beginning { lease: Some(lease), former, absent_for: seen.absent_for.unwrap_or_default() })
            }
            Turn::Asked(seen) if seen.is_absent => {
                measures::index_file(&self.settings.name, measures::ABSENT);
                self.note_absent(path, seen.age.unwrap_or_default());
                Err(None)
            }
            Turn::Asked(seen) => match self.newest(path, former, &seen).await {
                Some(file) if file.revision.is_some() && file.revision == seen.revision => {
                    measures::index_file(&self.settings.name, measures::SHARED);
                    file.confirm(seen.age.unwrap_or_default());
                    Err(Some(file).filter(|file| !file.is_of_no_version()))
                }
                // It was removed, or the database is away now.
                former => alone(former),
            },
        }
    }

    /// The file that another machine has written since, or the one that is known.
    async fn newest(&self, path: &str, former: Option<Arc<IndexFile>>, seen: &Seen) -> Option<Arc<IndexFile>> {
        if seen.revision.is_none() || former.as_ref().is_some_and(|former| former.revision == seen.revision) {
            return former;
        }
        self.load(path).await.or(former)
    }

    /// Asks the upstream, whose answer is the file of that path, or that there is none.
    async fn ask(&self, path: &str, former: Option<&IndexFile>) -> Result<Answer, FetchError> {
        let known = former.map(|former| &former.file.known);
        let validators =
            (known.and_then(|known| known.etag.as_deref()), known.and_then(|known| known.last_modified.as_deref()));
        let failed = |fault: fault::Fault| FetchError::Unreachable { url: self.url(path), problem: fault.to_string() };
        fault::point("upstream.index_wanted").map_err(failed)?;
        let answer = self.client.index_file(&self.url(path), validators).await?;
        fault::point("upstream.index_answered").map_err(failed)?;
        match answer {
            Answer::NotModified if former.is_none() => {
                Err(self.invalid(path, "it answered 304 to a request without conditions"))
            }
            // All versions of a crate may be gone; a cut answer takes away none that are kept.
            Answer::Sent { content, .. } if content.is_empty() => match former.filter(|one| !one.is_of_no_version()) {
                None => Ok(Answer::Absent),
                Some(_) => Err(self.invalid(path, "it is empty")),
            },
            Answer::Sent { content, etag, last_modified } => match lines::check(&content, path) {
                Ok(()) => Ok(Answer::Sent { content, etag, last_modified }),
                Err(why) => Err(self.invalid(path, &why.to_string())),
            },
            answer => Ok(answer),
        }
    }

    /// Keeps what was answered; what other machines learn from the lease, and the file.
    async fn take_over(
        &self,
        path: &str,
        answered: Result<Answer, FetchError>,
        former: Option<Arc<IndexFile>>,
        absent_for: Duration,
    ) -> (Outcome, Fetched) {
        let name = &self.settings.name;
        let checked = |file: Arc<IndexFile>| {
            // What the database has not got was not checked for others.
            let outcome = if file.revision.is_some() { Outcome::Checked } else { Outcome::Failed };
            (outcome, Ok(Some(file)))
        };
        match (answered, former) {
            (Ok(Answer::NotModified), Some(former)) => {
                measures::index_file(name, measures::CONFIRMED);
                former.confirm(Duration::ZERO);
                checked(self.keep_confirmation(path, former).await)
            }
            (Ok(Answer::NotModified), None) => (Outcome::Failed, Err(self.invalid(path, "it has not sent the file"))),
            (Ok(Answer::Sent { content, etag, last_modified }), former) => {
                measures::index_file(name, measures::FETCHED);
                let known = former.as_ref().map(|former| &former.file);
                let file = KeptFile::sent(content, (etag, last_modified), known);
                let kept = self.keep(path, file, former.as_ref().and_then(|former| former.revision)).await;
                // With what other machines know of it.
                self.report_changes(path, &kept.file, known);
                checked(kept)
            }
            (Ok(Answer::Absent), former) => {
                let (outcome, file) = self.take_over_absence(path, former, absent_for).await;
                (outcome, Ok(file))
            }
            (Err(error), former) => (Outcome::Failed, self.without_answer(path, error, former)),
        }
    }

    /// The upstream has no such file. One that is kept is believed to be gone when it is absent again after a while.
    async fn take_over_absence(
        &self,
        path: &str,
        former: Option<Arc<IndexFile>>,
        absent_for: Duration,
    ) -> (Outcome, Option<Arc<IndexFile>>) {
        measures::index_file(&self.settings.name, measures::ABSENT);
        if let Some(former) = former.filter(|former| !former.is_of_no_version()) {
            let since = {
                let mut since = former.absent_since.lock().unwrap_or_else(PoisonError::into_inner);
                *since.get_or_insert_with(Instant::now)
            };
            if since.elapsed().max(absent_for) < self.settings.fresh && self.is_usable(&former) {
                tracing::warn!(
                    upstream = self.settings.name,
                    path,
                    "an index file is no longer at the upstream: the kept one is served until it is absent for the second time"
                );
                return (Outcome::Missing, Some(former));
            }
            // What was known of its versions stays known.
            let nothing = KeptFile::sent(Bytes::new(), (None, None), Some(&former.file));
            self.report_changes(path, &nothing, Some(&former.file));
            self.keep(path, nothing, former.revision).await;
        }
        self.note_absent(path, Duration::ZERO);
        (Outcome::Absent, None)
    }

    fn without_answer(&self, path: &str, error: FetchError, former: Option<Arc<IndexFile>>) -> Fetched {
        let is_quiet = error.is_of_nothing_asked();
        match former.filter(|former| self.is_usable(former) && !former.is_of_no_version()) {
            Some(former) => {
                measures::index_file(&self.settings.name, measures::STALE);
                if matches!(error, FetchError::Offline) {
                    // It is looked at again when a confirmed file would be: a command may have written another one.
                    former.confirm(Duration::ZERO);
                }
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

    pub(super) async fn load(&self, path: &str) -> Option<Arc<IndexFile>> {
        match self.shelf.read(path).await {
            Ok(file) => {
                let file = Arc::new(file?);
                self.memory.insert(path.to_owned(), Arc::clone(&file));
                Some(file)
            }
            Err(error) => {
                tracing::warn!(upstream = self.settings.name, path, %error, "a kept index file cannot be read, and is fetched again");
                None
            }
        }
    }

    async fn keep(&self, path: &str, file: KeptFile, former: Option<i64>) -> Arc<IndexFile> {
        let kept = self.shelf.keep(&self.settings.name, path, file, former).await;
        self.remember(path, kept)
    }

    async fn keep_confirmation(&self, path: &str, former: Arc<IndexFile>) -> Arc<IndexFile> {
        let of = (&*self.settings.name, path);
        match self.shelf.note_confirmation(of, &former, self.settings.stale).await {
            Some(file) => self.remember(path, file),
            None => former,
        }
    }

    fn remember(&self, path: &str, file: IndexFile) -> Arc<IndexFile> {
        let file = Arc::new(file);
        self.memory.insert(path.to_owned(), Arc::clone(&file));
        self.absent.remove(path);
        file
    }

    /// Notes that the upstream said so long ago that there is no such file.
    fn note_absent(&self, path: &str, age: Duration) {
        let now = Instant::now();
        self.absent.insert(path.to_owned(), now.checked_sub(age).unwrap_or(now));
    }
}
