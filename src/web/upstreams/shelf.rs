//! Where the index files of an upstream are kept: in a directory of this machine, or in the database for all machines.

use std::io;
use std::time::Duration;

use chrono::Utc;
use tokio::runtime::Handle;

use super::index_file::IndexFile;
use super::sharing::{Sharing, Turn};
use crate::upstream_cache::kept_file::{KeptFile, KeptFiles, Known};

/// How old the time at which the upstream confirmed a file may become on the shelf, at most.
const NOTED: Duration = Duration::from_secs(3600);

/// Where the files are.
pub(super) struct Shelf {
    /// Where they are, or where those of one machine were.
    directory: KeptFiles,
    sharing: Option<Sharing>,
    runtime: Handle,
}

impl Shelf {
    pub(super) fn new(directory: KeptFiles, sharing: Option<Sharing>, runtime: Handle) -> Self {
        Self { directory, sharing, runtime }
    }

    /// What is shared with other machines.
    pub(super) fn sharing(&self) -> Option<&Sharing> {
        self.sharing.as_ref()
    }

    /// The file that is kept for a path. A damaged one is none.
    pub(super) async fn read(&self, path: &str) -> io::Result<Option<IndexFile>> {
        let Some(sharing) = &self.sharing else {
            return self.read_directory(path).await;
        };
        match sharing.read(path).await {
            // Before machines shared the files, this one may have kept it.
            Some(None) => self.read_directory(path).await,
            Some(Some(shared)) => Ok(shared.file.map(|file| IndexFile::new(file, Some(shared.revision)))),
            None => Ok(None),
        }
    }

    async fn read_directory(&self, path: &str) -> io::Result<Option<IndexFile>> {
        let (directory, path) = (self.directory.clone(), path.to_owned());
        let read = self.runtime.spawn_blocking(move || directory.read_stamped(&path)).await.unwrap_or(Ok(None));
        Ok(read?.map(|(file, stamp)| IndexFile::new(file, None).stamped(Some(stamp))))
    }

    /// Whether a command has written another file since. Of shared files it is looked up if that is not seen by asking.
    pub(super) async fn has_other(&self, path: &str, file: &IndexFile, is_offline: bool) -> bool {
        if let Some(sharing) = &self.sharing {
            let is_other = |found: Option<i64>| found.is_some() && found != file.revision;
            return is_offline && is_other(sharing.read(path).await.flatten().map(|shared| shared.revision));
        }
        let (directory, path) = (self.directory.clone(), path.to_owned());
        let stamp = self.runtime.spawn_blocking(move || directory.stamp(&path)).await;
        matches!(stamp, Ok(Ok(Some(stamp))) if file.stamp != Some(stamp))
    }

    /// Keeps a file that a command brings, in place of the one that is kept.
    pub(super) async fn bring(&self, path: &str, file: KeptFile) -> io::Result<()> {
        let Some(sharing) = &self.sharing else {
            let (directory, path) = (self.directory.clone(), path.to_owned());
            let written = self.runtime.spawn_blocking(move || directory.write(&path, &file)).await;
            return written.map_err(io::Error::other)?.map(drop);
        };
        let away = || io::Error::other("the database, which has the index files of upstreams, is away");
        let former = sharing.read(path).await.ok_or_else(away)?.map(|shared| shared.revision);
        sharing.write(path, &file, former).await.map(drop).ok_or_else(away)
    }

    /// Keeps a file in place of the one with this revision. What is kept then: of another machine, if that was faster. A file that cannot
    /// be kept is served all the same.
    pub(super) async fn keep(&self, upstream: &str, path: &str, file: KeptFile, former: Option<i64>) -> IndexFile {
        if let Some(sharing) = &self.sharing {
            return match sharing.write(path, &file, former).await {
                Some((file, revision)) => IndexFile::new(file, Some(revision)),
                None => IndexFile::new(file, None),
            };
        }
        let (directory, at, content) = (self.directory.clone(), path.to_owned(), file.clone());
        let written = self.runtime.spawn_blocking(move || {
            let written = directory.write(&at, &content);
            // What is on the disk instead counts no more.
            let stamp = written.as_ref().map_or_else(|_| directory.stamp(&at).ok().flatten(), |stamp| Some(*stamp));
            (written, stamp)
        });
        let (written, stamp) = written.await.unwrap_or_else(|panic| (Err(io::Error::other(panic)), None));
        if let Err(error) = written {
            tracing::warn!(upstream, path, %error, "an index file of an upstream cannot be kept on the disk");
        }
        IndexFile::new(file, None).stamped(stamp)
    }

    /// Notes that a file was confirmed, unless that is known well enough: after a restart without the upstream it is served for as
    /// long as before. The file in its place, if there is another one now.
    pub(super) async fn note_confirmation(
        &self,
        (upstream, path): (&str, &str),
        former: &IndexFile,
        stale: Option<Duration>,
    ) -> Option<IndexFile> {
        let (now, known) = (Utc::now(), &former.file.known);
        let noted = (now - known.checked_at).to_std().unwrap_or(Duration::MAX);
        let is_unshared = self.sharing.is_some() && former.revision.is_none();
        if noted < stale.map_or(NOTED, |stale| NOTED.min(stale / 8)) && !is_unshared {
            return None;
        }
        let known = Known { checked_at: now, ..known.clone() };
        let file = KeptFile { known, content: former.file.content.clone() };
        match (&self.sharing, former.revision) {
            (Some(sharing), Some(revision)) => {
                sharing.note(path, revision, file.known.clone()).await;
                Some(IndexFile::new(file, Some(revision)))
            }
            (_, revision) => Some(self.keep(upstream, path, file, revision).await),
        }
    }

    /// Whether this process asks for a file whose last answer is at least so old.
    pub(super) async fn turn(&self, path: &str, age: Duration, patience: Duration) -> Turn {
        match &self.sharing {
            Some(sharing) => sharing.turn(path, age, patience).await,
            None => Turn::Ask(None),
        }
    }
}
