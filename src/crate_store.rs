//! The .crate files, each under its SHA-256.
//!
//! A file's name says what is in it, so two publishes can't overwrite each other, storing twice is storing once, and a
//! file that no version names is garbage and never in anybody's way. Files never change.

mod listing;

use std::future::Future;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutPayload};

use crate::package::Checksum;

pub use listing::StoredFile;

/// Where crate files are kept. Cheap to clone.
#[derive(Clone)]
pub struct CrateStore {
    store: Arc<dyn ObjectStore>,
}

/// Why a crate file could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum CrateStoreError {
    #[error("the crate store {path:?} can't be set up: {source}")]
    SetUp { path: PathBuf, source: io::Error },
    #[error("the crate store failed for the file {checksum}: {source}")]
    Failed { checksum: Checksum, source: object_store::Error },
    #[error("the crate store can't be used: {0}")]
    Store(#[from] object_store::Error),
    #[error("no runtime for the crate store: {0}")]
    Runtime(#[source] io::Error),
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
        prepare_directories(path).map_err(set_up)?;
        Self::beside(path)
    }

    /// The same directory for a process that stores nothing.
    pub fn beside(path: &Path) -> Result<Self, CrateStoreError> {
        let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
        Ok(Self { store: Arc::new(store) })
    }

    /// Stores a file under its checksum. Storing what is there already writes it again, and so mends it.
    pub fn put(&self, checksum: Checksum, content: Bytes) -> Result<(), CrateStoreError> {
        wait_for(self.store.put(&location(checksum), PutPayload::from_bytes(content)))?
            .map(drop)
            .map_err(|source| CrateStoreError::Failed { checksum, source })
    }

    /// Opens a file; None if it is not there.
    pub fn get(&self, checksum: Checksum) -> Result<Option<CrateFile>, CrateStoreError> {
        let found = wait_for(self.store.get(&location(checksum)))?;
        Ok(present(checksum, found)?.map(|found| CrateFile { size: found.meta.size, content: found.into_stream() }))
    }

    /// The size of a file, in bytes, without opening it; None if it is not there.
    pub fn size(&self, checksum: Checksum) -> Result<Option<u64>, CrateStoreError> {
        let found = wait_for(self.store.head(&location(checksum)))?;
        Ok(present(checksum, found)?.map(|meta| meta.size))
    }

    /// Opens a part of a file, which must lie in it; None if the file is not there. `size` is that of the part.
    pub fn get_range(&self, checksum: Checksum, part: Range<u64>) -> Result<Option<CrateFile>, CrateStoreError> {
        let size = part.end - part.start;
        let options = GetOptions::new().with_range(Some(part));
        let found = wait_for(self.store.get_opts(&location(checksum), options))?;
        Ok(present(checksum, found)?.map(|found| CrateFile { size, content: found.into_stream() }))
    }

    /// Removes a file; one that is not there is removed.
    pub fn delete(&self, checksum: Checksum) -> Result<(), CrateStoreError> {
        match wait_for(self.store.delete(&location(checksum)))? {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(CrateStoreError::Failed { checksum, source }),
        }
    }

    /// Whether the store can be reached, without changing anything in it.
    pub fn check(&self) -> Result<(), CrateStoreError> {
        match wait_for(self.store.head(&location(Checksum::of(b""))))? {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn present<T>(checksum: Checksum, found: object_store::Result<T>) -> Result<Option<T>, CrateStoreError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(source) => Err(CrateStoreError::Failed { checksum, source }),
    }
}

/// `ab/ab12….crate`: 256 directories keep each of them small.
fn location(checksum: Checksum) -> Location {
    let name = checksum.to_string();
    Location::from_iter([&name[..2], &format!("{name}.crate")])
}

/// Makes every directory at once, so that no later write depends on a directory entry that is not on the disk yet, and
/// removes the parts of files that a killed process left.
fn prepare_directories(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    for byte in 0..=u8::MAX {
        let directory = path.join(format!("{byte:02x}"));
        match std::fs::create_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_staged(&directory)?,
            made => made?,
        }
    }
    std::fs::File::open(path)?.sync_all()?;
    path.parent().map_or(Ok(()), |parent| std::fs::File::open(parent)?.sync_all())
}

/// A file is written beside its place as `NAME#N` and renamed when it is whole.
fn remove_staged(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(".crate#") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The store's interface is async, ours is not: callers are on threads that may block.
fn wait_for<T>(future: impl Future<Output = T>) -> Result<T, CrateStoreError> {
    if let Ok(current) = tokio::runtime::Handle::try_current() {
        return Ok(current.block_on(future));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(CrateStoreError::Runtime)?.block_on(future))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    fn content(store: &CrateStore, checksum: Checksum) -> Option<Vec<u8>> {
        let file = store.get(checksum).unwrap()?;
        let pieces: Vec<Bytes> = wait_for(file.content.try_collect()).unwrap().unwrap();
        let content = pieces.concat();
        assert_eq!(file.size, content.len() as u64);
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
        let pieces: Vec<Bytes> = wait_for(part.content.try_collect()).unwrap().unwrap();
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
