//! The .crate files and the archives of documentation, each named by its SHA-256, in a local directory or a bucket.
//!
//! The name identifies the content, so two publishes cannot overwrite each other's files, storing a file twice has the
//! effect of storing it once, and a file that no version names is garbage that is in nobody's way. Files never change.

mod bucket;
mod directories;
mod error;
mod free_space;
mod listing;
mod local;
mod memory;
mod presigned;
mod quarantine;
mod reader;
mod runtime;
mod s3;
mod sending;
mod stored_file;
mod writing;

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use object_store::aws::AmazonS3;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::prefix::PrefixStore;
use object_store::{GetResult, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};

use self::memory::Memory;
use self::runtime::StoreRuntime;
use crate::package::Checksum;

pub use self::bucket::{Bucket, BucketError, Listed, Object, ObjectHeaders, Written};
pub use self::error::{CrateStoreError, Failure};
pub use self::free_space::FreeSpace;
pub use self::presigned::Allowed;
pub use self::quarantine::{Expired, SetAside};
pub use self::reader::CrateReader;
pub use self::s3::{S3Credentials, S3Settings};
pub use self::sending::{Content, CrateFile};
pub use self::stored_file::StoredFile;
pub use self::writing::BegunFile;

/// How long [`CrateStore::check`] waits for a bucket.
const CHECK: Duration = Duration::from_secs(8);

/// A store of crate files. Its methods block. Clones share the store.
#[derive(Clone)]
pub struct CrateStore {
    store: Arc<dyn ObjectStore>,
    place: Place,
    runtime: Arc<StoreRuntime>,
    /// `None` for a bucket, whose files are sent as they come.
    memory: Option<Memory>,
}

#[derive(Clone)]
enum Place {
    Directory(Arc<Path>),
    Bucket(Arc<S3Settings>, Arc<AmazonS3>),
}

impl CrateStore {
    /// Opens a local directory as its only writer: creates what is missing and removes the unfinished files of a killed
    /// process. When `put` returns, the file and its name are on the disk.
    pub fn local(path: &Path) -> Result<Self, CrateStoreError> {
        directories::prepare(path).map_err(set_up(path))?;
        Self::attach(path)
    }

    /// Opens a local directory that another process may be writing to: creates it if it is missing, and removes
    /// nothing.
    pub fn attach(path: &Path) -> Result<Self, CrateStoreError> {
        std::fs::create_dir_all(path).map_err(set_up(path))?;
        let unusable = |error: object_store::Error| CrateStoreError::Settings {
            store: path.display().to_string(),
            reason: error.to_string(),
        };
        let store = LocalFileSystem::new_with_prefix(path).map_err(unusable)?.with_fsync(true);
        let (place, runtime) = (Place::Directory(path.into()), StoreRuntime::unbounded()?);
        Ok(Self { store: Arc::new(store), place, runtime, memory: Some(Memory::new()) })
    }

    /// Opens a bucket without sending it a request. When `put` returns, the file is as safe as the bucket is.
    pub fn s3(settings: &S3Settings) -> Result<Self, CrateStoreError> {
        let runtime = StoreRuntime::bounded(settings.limit)?;
        let bucket = Arc::new(settings.client(runtime.handle())?);
        let store: Arc<dyn ObjectStore> = if settings.prefix.is_empty() {
            Arc::clone(&bucket) as Arc<dyn ObjectStore>
        } else {
            Arc::new(PrefixStore::new(Arc::clone(&bucket), settings.prefix.as_str()))
        };
        Ok(Self { store, place: Place::Bucket(Arc::new(settings.clone()), bucket), runtime, memory: None })
    }

    /// Opens a file for reading it as it is stored; `None` if it does not exist.
    fn stored(&self, checksum: Checksum) -> Result<Option<GetResult>, CrateStoreError> {
        self.find(file(checksum), self.store.get(&location(checksum)))
    }

    /// Reads a whole file and passes each piece to `write`. The result is the checksum of the content and its size in
    /// bytes; `None` if the file does not exist.
    pub fn copy(
        &self,
        checksum: Checksum,
        mut write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Option<(Checksum, u64)>, CrateStoreError> {
        let Some(opened) = self.stored(checksum)? else { return Ok(None) };
        let mut content = opened.into_stream();
        let (mut hash, mut size) = (Sha256::new(), 0);
        loop {
            let piece = async { content.next().await.transpose() };
            let Some(piece) = self.wait_for(file(checksum), None, piece)? else { break };
            hash.update(&piece);
            size += piece.len() as u64;
            write(&piece).map_err(CrateStoreError::Destination)?;
        }
        Ok(Some((Checksum::from_bytes(hash.finalize().into()), size)))
    }

    /// Removes a file, if it exists.
    pub fn delete(&self, checksum: Checksum) -> Result<(), CrateStoreError> {
        self.memory.iter().for_each(|memory| memory.forget(checksum));
        self.find(file(checksum), self.store.delete(&location(checksum))).map(drop)
    }

    /// The path of a file on this machine; `None` if the store is a bucket.
    pub fn local_path(&self, checksum: Checksum) -> Option<PathBuf> {
        match &self.place {
            Place::Directory(directory) => Some(directory.join(Self::place(checksum))),
            Place::Bucket(..) => None,
        }
    }

    /// Checks that the store can be used with its settings. Changes nothing in it.
    ///
    /// # Errors
    ///
    /// Unless [`CrateStoreError::is_outage`], the settings are wrong and the text says what to change.
    pub fn check(&self) -> Result<(), CrateStoreError> {
        let Place::Bucket(settings, _) = &self.place else {
            return self.size(Checksum::of(b"")).map(drop);
        };
        // A request for a missing file would not show whether the bucket exists.
        let mut listed = self.store.list(None);
        let first = async { listed.next().await.transpose() };
        match self.wait_for(|| "the list of files".to_owned(), Some(CHECK), first) {
            Err(CrateStoreError::Failed { failure: Failure::Rejected { status, code }, .. }) => {
                let remedy = settings.remedy("--crate-store", status, code.as_deref());
                let reason = format!("{}: {remedy}", Failure::Rejected { status, code });
                Err(CrateStoreError::Settings { store: settings.name(), reason })
            }
            answered => answered.map(drop),
        }
    }

    fn find<T>(
        &self,
        what: impl Fn() -> String,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<Option<T>, CrateStoreError> {
        let found = async {
            match request.await {
                Ok(found) => Ok(Some(found)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.wait_for(what, None, found)
    }

    fn wait_for<T>(
        &self,
        what: impl Fn() -> String,
        limit: Option<Duration>,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, CrateStoreError> {
        self.runtime.wait_for(what, limit, request)
    }
}

fn set_up(path: &Path) -> impl FnOnce(io::Error) -> CrateStoreError {
    move |source| CrateStoreError::SetUp { path: path.to_owned(), source }
}

fn file(checksum: Checksum) -> impl Fn() -> String {
    move || format!("the file {checksum}")
}

/// `ab/ab12….crate`: 256 directories keep each of them small. Directories and buckets have the same layout, so files
/// can be copied between them by any tool.
fn location(checksum: Checksum) -> Location {
    let name = checksum.to_string();
    Location::from_iter([&name[..2], &format!("{name}.crate")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

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
    fn a_stored_file_is_read_back_and_no_other_exists() {
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
    fn a_part_and_the_size_of_a_file_are_read_without_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let checksum = Checksum::of(b"content");
        assert_eq!(store.size(checksum).unwrap(), None);
        assert!(store.get_range(checksum, 0..1).unwrap().is_none());
        store.put(checksum, Bytes::from_static(b"content")).unwrap();
        assert_eq!(store.size(checksum).unwrap(), Some(7));
        let part = store.get_range(checksum, 3..5).unwrap().unwrap();
        let Content::InMemory(content) = part.content else { panic!("not in memory") };
        assert_eq!((part.size, &content[..]), (2, &b"te"[..]));
    }

    #[test]
    fn unfinished_files_of_a_killed_process_are_removed_at_the_next_start() {
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
