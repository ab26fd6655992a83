//! Writing files. In a local store a file is written beside its final name, as `NAME.crate#N`, flushed, renamed, and its
//! directory flushed: a name in the store has its whole content, even after a crash.
//!
//! The first two steps of a publish can run while its package is still examined ([`CrateStore::begin`]): the file has no
//! name yet, so nothing refers to it, and it is removed if the publish is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use object_store::{ObjectStoreExt, PutPayload};
use tokio::task::JoinHandle;

use super::local::failed;
use super::{CrateStore, CrateStoreError, file, location};
use crate::package::Checksum;

/// The bytes of a part of a large file in a bucket. S3 takes 10,000 parts, and 5 MiB at least.
const PART: u64 = 8 * 1024 * 1024;

/// A file that is being stored. Dropping it removes what was written.
pub struct BegunFile {
    store: CrateStore,
    checksum: Checksum,
    content: Bytes,
    /// None in a bucket, and after the end.
    writing: Option<JoinHandle<io::Result<UnfinishedFile>>>,
}

impl CrateStore {
    /// Stores a file under its checksum. A file that is there already is written again, which repairs a damaged one.
    pub fn put(&self, checksum: Checksum, content: Bytes) -> Result<(), CrateStoreError> {
        match self.local_path(checksum) {
            Some(path) => UnfinishedFile::write(path, |file| file.write_all(&content))
                .and_then(UnfinishedFile::name)
                .map_err(failed(&file(checksum)())),
            None => self
                .wait_for(file(checksum), None, self.store.put(&location(checksum), PutPayload::from_bytes(content)))
                .map(drop),
        }
    }

    /// Stores a file under its checksum, piece by piece, as [`put`](Self::put) does.
    pub fn put_from(&self, checksum: Checksum, mut content: impl Read) -> Result<(), CrateStoreError> {
        match self.local_path(checksum) {
            Some(path) => UnfinishedFile::write(path, |file| io::copy(&mut content, file).map(drop))
                .and_then(UnfinishedFile::name)
                .map_err(failed(&file(checksum)())),
            None => self.put_in_parts(checksum, content),
        }
    }

    /// Stores a file of a bucket: a small one with one request, and a large one in parts, each of which has the time limit of a
    /// request. Until all are there, the bucket has no such file.
    fn put_in_parts(&self, checksum: Checksum, mut content: impl Read) -> Result<(), CrateStoreError> {
        let what = || file(checksum)();
        let read = |content: &mut dyn Read| {
            let mut part = Vec::new();
            content.take(PART).read_to_end(&mut part).map_err(failed(&what()))?;
            Ok::<_, CrateStoreError>(Bytes::from(part))
        };
        let first = read(&mut content)?;
        if (first.len() as u64) < PART {
            return self.put(checksum, first);
        }
        let mut upload = self.wait_for(what, None, self.store.put_multipart(&location(checksum)))?;
        let mut next = Ok(first);
        let done = loop {
            match next {
                Err(error) => break Err(error),
                Ok(part) if part.is_empty() => break self.wait_for(what, None, upload.complete()).map(drop),
                Ok(part) => {
                    let sent = self.wait_for(what, None, upload.put_part(PutPayload::from_bytes(part)));
                    next = sent.and_then(|()| read(&mut content));
                }
            }
        };
        if done.is_err() {
            // What stays of it is no file. The bucket's own rules remove it.
            let _ = self.wait_for(what, None, upload.abort());
        }
        done
    }

    /// Whether a file exists.
    pub fn contains(&self, checksum: Checksum) -> Result<bool, CrateStoreError> {
        match self.local_path(checksum) {
            Some(path) => path.try_exists().map_err(failed(&file(checksum)())),
            None => Ok(self.size(checksum)?.is_some()),
        }
    }

    /// Begins to store a file, on another thread. It is stored when [`BegunFile::finish`] has returned.
    pub fn begin(&self, checksum: Checksum, content: Bytes) -> BegunFile {
        let writing = self.local_path(checksum).map(|path| {
            let content = content.clone();
            self.runtime.handle().spawn_blocking(move || UnfinishedFile::write(path, |file| file.write_all(&content)))
        });
        BegunFile { store: self.clone(), checksum, content, writing }
    }
}

impl BegunFile {
    /// Gives the file its name, and returns when both are on the disk.
    pub fn finish(mut self) -> Result<(), CrateStoreError> {
        match self.written() {
            Some(written) => written.and_then(UnfinishedFile::name).map_err(failed(&file(self.checksum)())),
            None => self.store.put(self.checksum, self.content.clone()),
        }
    }

    fn written(&mut self) -> Option<io::Result<UnfinishedFile>> {
        let writing = self.writing.take()?;
        Some(self.store.runtime.handle().block_on(writing).unwrap_or_else(|stopped| Err(io::Error::other(stopped))))
    }
}

/// Waits, so that nothing is left when a refused publish is answered.
impl Drop for BegunFile {
    fn drop(&mut self) {
        drop(self.written());
    }
}

/// A flushed file beside its final name. Dropping it removes it.
struct UnfinishedFile {
    path: PathBuf,
    target: PathBuf,
    is_named: bool,
}

impl UnfinishedFile {
    fn write(target: PathBuf, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        let (mut file, path) = create_beside(&target)?;
        let unfinished = Self { path, target, is_named: false };
        fill(&mut file)?;
        file.sync_all()?;
        Ok(unfinished)
    }

    fn name(mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.target)?;
        self.is_named = true;
        sync_directory_of(&self.target)
    }
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        if !self.is_named {
            // A file that stays is removed at the next start, or by a verification.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn create_beside(target: &Path) -> io::Result<(File, PathBuf)> {
    let mut number = 1_u64;
    loop {
        let mut path = target.as_os_str().to_owned();
        path.push(format!("#{number}"));
        let path = PathBuf::from(path);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) if error.kind() == ErrorKind::NotFound && number == 1 => {
                let directory = target.parent().ok_or(error)?;
                fs::create_dir_all(directory)?;
                sync_directory_of(directory)?;
                // Once: a directory that is removed again and again is an error.
                number += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_begun_file_has_a_name_when_it_is_finished_and_is_gone_when_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let content = Bytes::from_static(b"content");
        let checksum = Checksum::of(&content);
        let path = store.local_path(checksum).unwrap();
        let begun = store.begin(checksum, content.clone());
        assert!(!store.contains(checksum).unwrap());
        drop(begun);
        assert_eq!(names_in(path.parent().unwrap()), Vec::<String>::new());
        // Two at the same time have the same end.
        let (one, other) = (store.begin(checksum, content.clone()), store.begin(checksum, content));
        one.finish().unwrap();
        assert!(store.contains(checksum).unwrap());
        other.finish().unwrap();
        assert_eq!(names_in(path.parent().unwrap()), [path.file_name().unwrap().to_str().unwrap()]);
        assert_eq!(fs::read(&path).unwrap(), b"content");
    }

    #[test]
    fn a_file_is_stored_again_in_place_of_a_damaged_one_and_in_a_directory_that_was_removed() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let content = Bytes::from_static(b"content");
        let checksum = Checksum::of(&content);
        let path = store.local_path(checksum).unwrap();
        fs::write(&path, b"damaged").unwrap();
        store.put(checksum, content.clone()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"content");
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        store.put(checksum, content).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"content");
    }
}
