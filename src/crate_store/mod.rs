//! The .crate files, each under its SHA-256.
//!
//! A file's name says what is in it, so two publishes can't overwrite each other, storing twice is storing once, and a
//! file that no version names is garbage and never in anybody's way. Files never change.

mod error;
mod listing;
mod local;
mod quarantine;
mod remote;
mod room;

use std::future::Future;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};

use self::remote::Remote;
use crate::package::Checksum;

pub use self::error::{CrateStoreError, Failure};
pub use self::listing::StoredFile;
pub use self::quarantine::{Expired, SetAside};
pub use self::remote::{S3Credentials, S3Settings};

/// Where crate files are kept. Cheap to clone.
#[derive(Clone)]
pub struct CrateStore {
    store: Arc<dyn ObjectStore>,
    place: Place,
}

#[derive(Clone)]
enum Place {
    Directory(Arc<Path>),
    Bucket(Arc<S3Settings>, Arc<Remote>),
}

/// A crate file as it is read: its size in bytes, and its content piece by piece.
pub struct CrateFile {
    pub size: u64,
    pub content: BoxStream<'static, object_store::Result<Bytes>>,
}

impl CrateStore {
    /// Keeps the files in a local directory. What was stored is on the disk, names included, when `put` returns. For the
    /// process that stores: what another one is storing at this moment would be taken for what a killed one left.
    pub fn local(path: &Path) -> Result<Self, CrateStoreError> {
        let set_up = |source| CrateStoreError::SetUp { path: path.to_owned(), source };
        local::prepare(path).map_err(set_up)?;
        Self::beside(path)
    }

    /// The same directory for a process that stores nothing.
    pub fn beside(path: &Path) -> Result<Self, CrateStoreError> {
        let refused = |error: object_store::Error| CrateStoreError::Settings {
            store: path.display().to_string(),
            reason: error.to_string(),
        };
        let store = LocalFileSystem::new_with_prefix(path).map_err(refused)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), place: Place::Directory(path.into()) })
    }

    /// Keeps the files in a bucket, which is not asked for anything yet. What was stored is as safe as the bucket is when
    /// `put` returns.
    pub fn s3(settings: &S3Settings) -> Result<Self, CrateStoreError> {
        let (bucket, remote) = Remote::open(settings)?;
        let store: Arc<dyn ObjectStore> = if settings.prefix.is_empty() {
            Arc::new(bucket)
        } else {
            Arc::new(PrefixStore::new(bucket, settings.prefix.as_str()))
        };
        Ok(Self { store, place: Place::Bucket(Arc::new(settings.clone()), remote) })
    }

    /// Stores a file under its checksum. Storing what is there already writes it again, and so mends it.
    pub fn put(&self, checksum: Checksum, content: Bytes) -> Result<(), CrateStoreError> {
        self.wait_for(file(checksum), None, self.store.put(&location(checksum), PutPayload::from_bytes(content)))
            .map(drop)
    }

    /// Opens a file; None if it is not there.
    pub fn get(&self, checksum: Checksum) -> Result<Option<CrateFile>, CrateStoreError> {
        let found = self.find(file(checksum), self.store.get(&location(checksum)))?;
        Ok(found.map(|found| CrateFile { size: found.meta.size, content: found.into_stream() }))
    }

    /// The size of a file, in bytes, without opening it; None if it is not there.
    pub fn size(&self, checksum: Checksum) -> Result<Option<u64>, CrateStoreError> {
        let found = self.find(file(checksum), self.store.head(&location(checksum)))?;
        Ok(found.map(|meta| meta.size))
    }

    /// Opens a part of a file, which must lie in it; None if the file is not there. `size` is that of the part.
    pub fn get_range(&self, checksum: Checksum, part: Range<u64>) -> Result<Option<CrateFile>, CrateStoreError> {
        let size = part.end - part.start;
        let options = GetOptions::new().with_range(Some(part));
        let found = self.find(file(checksum), self.store.get_opts(&location(checksum), options))?;
        Ok(found.map(|found| CrateFile { size, content: found.into_stream() }))
    }

    /// Reads a file to its end, giving every piece to `take`, and answers the checksum of what is in it and its size in
    /// bytes; None if it is not there.
    pub fn copy(
        &self,
        checksum: Checksum,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Option<(Checksum, u64)>, CrateStoreError> {
        let Some(mut opened) = self.get(checksum)? else { return Ok(None) };
        let (mut hash, mut size) = (Sha256::new(), 0);
        loop {
            let piece = async { opened.content.next().await.transpose() };
            let Some(piece) = self.wait_for(file(checksum), None, piece)? else { break };
            hash.update(&piece);
            size += piece.len() as u64;
            take(&piece).map_err(CrateStoreError::Destination)?;
        }
        Ok(Some((Checksum::from_bytes(hash.finalize().into()), size)))
    }

    /// Removes a file; one that is not there is removed.
    pub fn delete(&self, checksum: Checksum) -> Result<(), CrateStoreError> {
        self.find(file(checksum), self.store.delete(&location(checksum))).map(drop)
    }

    /// The directory of the files, if they are on this machine.
    pub fn directory(&self) -> Option<&Path> {
        match &self.place {
            Place::Directory(directory) => Some(directory),
            Place::Bucket(..) => None,
        }
    }

    /// Whether the store can be used as it was described, without changing anything in it.
    ///
    /// # Errors
    ///
    /// Says what to change; or else [`CrateStoreError::is_outage`] holds, and the store may be there later.
    pub fn check(&self) -> Result<(), CrateStoreError> {
        let Place::Bucket(settings, remote) = &self.place else {
            return self.size(Checksum::of(b"")).map(drop);
        };
        // A file that is not there does not tell whether the bucket is.
        let mut listed = self.store.list(None);
        let first = async { listed.next().await.transpose() };
        match self.wait_for(|| "the list of files".to_owned(), Some(remote.check_limit()), first) {
            Err(CrateStoreError::Failed { failure: Failure::Refused { status, code }, .. }) => {
                let remedy = settings.remedy(status, code.as_deref());
                let reason = format!("{} ({remedy})", Failure::Refused { status, code });
                Err(CrateStoreError::Settings { store: settings.name(), reason })
            }
            answered => answered.map(drop),
        }
    }

    fn find<T>(
        &self,
        what: impl Fn() -> String,
        asked: impl Future<Output = object_store::Result<T>>,
    ) -> Result<Option<T>, CrateStoreError> {
        let found = async {
            match asked.await {
                Ok(found) => Ok(Some(found)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.wait_for(what, None, found)
    }

    /// The store's interface is async, ours is not: callers are on threads that may block.
    fn wait_for<T>(
        &self,
        what: impl Fn() -> String,
        limit: Option<Duration>,
        asked: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, CrateStoreError> {
        let answered = match (&self.place, tokio::runtime::Handle::try_current()) {
            (Place::Bucket(_, remote), _) => remote.wait_for(&what, limit, asked)?,
            (Place::Directory(_), Ok(current)) => current.block_on(asked),
            (Place::Directory(_), Err(_)) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map_err(CrateStoreError::Runtime)?.block_on(asked)
            }
        };
        answered.map_err(|error| CrateStoreError::Failed { what: what(), failure: Failure::of(&error) })
    }
}

impl CrateStoreError {
    /// Whether waiting may help, in contrast to other settings.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Failed { failure, .. } => failure.is_outage(),
            Self::Busy { .. } | Self::Full { .. } => true,
            _ => false,
        }
    }
}

fn file(checksum: Checksum) -> impl Fn() -> String {
    move || format!("the file {checksum}")
}

/// `ab/ab12….crate`: 256 directories keep each of them small. The same in a directory and in a bucket, so that files can
/// be copied between the two by whatever copies files.
fn location(checksum: Checksum) -> Location {
    let name = checksum.to_string();
    Location::from_iter([&name[..2], &format!("{name}.crate")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    fn content(store: &CrateStore, checksum: Checksum) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        let copied = store.copy(checksum, |piece| {
            content.extend_from_slice(piece);
            Ok(())
        });
        assert_eq!(copied.unwrap()?, (Checksum::of(&content), content.len() as u64));
        assert_eq!(store.size(checksum).unwrap(), Some(content.len() as u64));
        Some(content)
    }

    #[test]
    fn what_was_stored_is_read_back_and_nothing_else_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let checksum = Checksum::of(b"content");
        assert_eq!(content(&store, checksum), None);
        store.put(checksum, Bytes::from_static(b"content")).unwrap();
        store.put(checksum, Bytes::from_static(b"content")).unwrap();
        assert_eq!(content(&store, checksum).as_deref(), Some(&b"content"[..]));
        assert_eq!(content(&store, Checksum::of(b"other")), None);
    }

    #[test]
    fn a_part_of_a_file_is_read_alone_and_its_size_is_known_without_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let checksum = Checksum::of(b"content");
        assert_eq!(store.size(checksum).unwrap(), None);
        assert!(store.get_range(checksum, 0..1).unwrap().is_none());
        store.put(checksum, Bytes::from_static(b"content")).unwrap();
        assert_eq!(store.size(checksum).unwrap(), Some(7));
        let part = store.get_range(checksum, 3..5).unwrap().unwrap();
        let pieces: Vec<Bytes> = store.wait_for(String::new, None, part.content.try_collect()).unwrap();
        assert_eq!((part.size, &pieces.concat()[..]), (2, &b"te"[..]));
    }

    #[test]
    fn parts_left_by_a_killed_process_are_removed_at_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let checksum = Checksum::of(b"content");
        store.put(checksum, Bytes::from_static(b"content")).unwrap();
        let name = checksum.to_string();
        let staged = directory.path().join(&name[..2]).join(format!("{name}.crate#1"));
        std::fs::write(&staged, b"con").unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        assert!(!staged.exists());
        assert_eq!(content(&store, checksum).as_deref(), Some(&b"content"[..]));
    }
}
