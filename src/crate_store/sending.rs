//! Crate files for downloads. A small file of a local store is read with one call and kept in memory; a large one is read in
//! pieces, each while the one before is being sent.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetResult, ObjectStoreExt};
use rustix::io::{ReadWriteFlags, preadv2};
use tokio::task::{JoinHandle, spawn_blocking};

use super::memory::{LARGEST_KEPT, Room, Used};
use super::{CrateStore, CrateStoreError, Failure, file, location};
use crate::package::Checksum;

/// A crate file, or a part of one, that is to be sent.
pub struct CrateFile {
    /// In bytes.
    pub size: u64,
    pub content: Content,
}

/// What is sent.
pub enum Content {
    InMemory(Bytes),
    /// Pieces that are read while they are sent, within a Tokio runtime.
    Pieces(BoxStream<'static, io::Result<Bytes>>),
}

impl CrateFile {
    /// A file in memory, or a part of one.
    pub fn in_memory(content: Bytes) -> Self {
        Self { size: content.len() as u64, content: Content::InMemory(content) }
    }

    fn from_bucket(size: u64, found: GetResult) -> Self {
        Self { size, content: Content::Pieces(found.into_stream().map_err(io::Error::from).boxed()) }
    }
}

impl CrateStore {
    /// A whole file, if it is in memory. Does not block.
    pub fn recall(&self, checksum: Checksum) -> Option<Bytes> {
        self.memory.as_ref()?.get(checksum)
    }

    /// Opens a file; `None` if it does not exist.
    pub fn get(&self, checksum: Checksum) -> Result<Option<CrateFile>, CrateStoreError> {
        let Some(memory) = &self.memory else {
            let found = self.find(file(checksum), self.store.get(&location(checksum)))?;
            return Ok(found.map(|found| CrateFile::from_bucket(found.meta.size, found)));
        };
        if let Some(content) = memory.get(checksum) {
            return Ok(Some(CrateFile::in_memory(content)));
        }
        let Some((open, size)) = self.open(checksum)? else { return Ok(None) };
        let sent = local(open, 0..size, memory.used()).map_err(failed(checksum))?;
        if let Content::InMemory(content) = &sent.content {
            memory.keep(checksum, content);
        }
        Ok(Some(sent))
    }

    /// The size of a file, in bytes; `None` if it does not exist.
    pub fn size(&self, checksum: Checksum) -> Result<Option<u64>, CrateStoreError> {
        if let Some(path) = self.local_path(checksum) {
            return present(std::fs::metadata(path).map(|found| found.len()), checksum);
        }
        let found = self.find(file(checksum), self.store.head(&location(checksum)))?;
        Ok(found.map(|meta| meta.size))
    }

    /// Opens a part of a file, which must be within it; `None` if the file does not exist.
    pub fn get_range(&self, checksum: Checksum, part: Range<u64>) -> Result<Option<CrateFile>, CrateStoreError> {
        let Some(memory) = &self.memory else {
            let size = part.end - part.start;
            let options = GetOptions::new().with_range(Some(part));
            let found = self.find(file(checksum), self.store.get_opts(&location(checksum), options))?;
            return Ok(found.map(|found| CrateFile::from_bucket(size, found)));
        };
        let Some((open, _)) = self.open(checksum)? else { return Ok(None) };
        local(open, part, memory.used()).map(Some).map_err(failed(checksum))
    }

    /// Opens a file of a local store; `None` if it does not exist.
    fn open(&self, checksum: Checksum) -> Result<Option<(File, u64)>, CrateStoreError> {
        let Some(path) = self.local_path(checksum) else { return Ok(None) };
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        present(opened.map(|(size, file)| (file, size)), checksum)
    }
}

fn present<T>(found: io::Result<T>, checksum: Checksum) -> Result<Option<T>, CrateStoreError> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some).map_err(failed(checksum)),
    }
}

fn failed(checksum: Checksum) -> impl FnOnce(io::Error) -> CrateStoreError {
    move |error| CrateStoreError::Failed { what: file(checksum)(), failure: Failure::Other(error.to_string()) }
}

/// A part of a file that is open: a small one as a whole, unless memory is short.
fn local(open: File, part: Range<u64>, used: &Used) -> io::Result<CrateFile> {
    let size = part.end - part.start;
    let small = usize::try_from(size).ok().filter(|size| *size <= LARGEST_KEPT);
    if let Some(room) = small.and_then(|size| used.whole(size)) {
        return Ok(CrateFile::in_memory(read(&open, part.start, room)?));
    }
    let pieces = Pieces { open: Arc::new(open), left: part, used: used.clone(), reading: None, asks_the_kernel: true };
    Ok(CrateFile { size, content: Content::Pieces(pieces.boxed()) })
}

fn read(open: &File, start: u64, room: Room) -> io::Result<Bytes> {
    let mut content = room.buffer();
    open.read_exact_at(&mut content, start)?;
    Ok(room.filled(content))
}

/// What the kernel has in memory, without waiting for the disk; the room again if it lacks any of it.
fn read_cached(open: &File, start: u64, room: Room) -> Result<Bytes, Room> {
    let mut content = room.buffer();
    match preadv2(open, &mut [IoSliceMut::new(&mut content)], start, ReadWriteFlags::NOWAIT) {
        Ok(length) if length == content.len() => Ok(room.filled(content)),
        _ => Err(room),
    }
}

/// A part of a file, piece by piece. Pieces that the kernel has in memory are read at once. When one has to come from the
/// disk, other threads read it and all that follow, each while the one before is being sent.
struct Pieces {
    open: Arc<File>,
    left: Range<u64>,
    used: Used,
    asks_the_kernel: bool,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Pieces {
    /// The room for the next piece, and its place; `None` at the end.
    fn next(&mut self) -> Option<(u64, Room)> {
        if self.left.is_empty() {
            return None;
        }
        let (start, room) = (self.left.start, self.used.piece(self.left.end - self.left.start));
        self.left.start += room.bytes as u64;
        Some((start, room))
    }

    /// Lets another thread read a piece.
    fn begin(&mut self, piece: Option<(u64, Room)>) {
        let open = Arc::clone(&self.open);
        self.reading = piece.map(|(start, room)| spawn_blocking(move || read(&open, start, room)));
    }
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let this = &mut *self;
        if this.reading.is_none() {
            let Some((start, room)) = this.next() else { return Poll::Ready(None) };
            let asked = if this.asks_the_kernel { read_cached(&this.open, start, room) } else { Err(room) };
            match asked {
                Ok(piece) => return Poll::Ready(Some(Ok(piece))),
                Err(room) => this.begin(Some((start, room))),
            }
        }
        let Some(reading) = &mut this.reading else { return Poll::Ready(None) };
        let piece = ready!(Pin::new(reading).poll(context)).unwrap_or_else(|error| Err(io::Error::other(error)));
        if piece.is_err() {
            this.left.start = this.left.end;
        }
        let next = this.next();
        this.begin(next);
        Poll::Ready(Some(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn large() -> Bytes {
        (0..3 * LARGEST_KEPT).map(|place| u8::try_from(place % 251).unwrap()).collect()
    }

    fn sent(content: Content) -> (usize, Vec<u8>) {
        let Content::Pieces(pieces) = content else { panic!("in memory") };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pieces: Vec<Bytes> = runtime.block_on(pieces.try_collect()).unwrap();
        (pieces.len(), pieces.concat())
    }

    #[test]
    fn a_small_file_is_in_memory_after_it_was_sent_and_forgotten_when_it_is_stored_again_or_removed() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let (checksum, content) = (Checksum::of(b"content"), Bytes::from_static(b"content"));
        assert!(store.get(checksum).unwrap().is_none());
        store.put(checksum, content.clone()).unwrap();
        assert_eq!(store.recall(checksum), None);
        let sent = |store: &CrateStore| match store.get(checksum).unwrap().unwrap() {
            CrateFile { size: 7, content: Content::InMemory(content) } => content,
            _ => panic!("not the whole file"),
        };
        assert_eq!(sent(&store), content);
        assert_eq!(store.clone().recall(checksum), Some(content.clone()));
        store.delete(checksum).unwrap();
        assert!(store.recall(checksum).is_none() && store.get(checksum).unwrap().is_none());

        // A damaged file is sent as it is, and read again after it was repaired.
        std::fs::write(store.local_path(checksum).unwrap(), b"damaged").unwrap();
        assert_eq!(sent(&store), "damaged");
        assert_eq!(store.recall(checksum), None);
        store.put(checksum, content.clone()).unwrap();
        assert_eq!(sent(&store), content);
    }

    #[test]
    fn a_large_file_is_sent_in_large_pieces_and_small_ones_when_memory_is_short() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let (checksum, content) = (Checksum::of(&large()), large());
        store.put(checksum, content.clone()).unwrap();
        let (pieces, whole) = sent(store.get(checksum).unwrap().unwrap().content);
        assert_eq!((pieces, whole == content), (24, true));
        let rest = store.get_range(checksum, 5..content.len() as u64).unwrap().unwrap();
        assert_eq!(rest.size, content.len() as u64 - 5);
        assert!(sent(rest.content).1 == content[5..]);
        assert!(store.recall(checksum).is_none());
        let occupied = store.memory.as_ref().unwrap().used().whole(64 << 20);
        assert!(occupied.is_some());
        let (pieces, whole) = sent(store.get(checksum).unwrap().unwrap().content);
        assert_eq!((pieces, whole == content), (384, true));
    }

    #[test]
    fn pieces_that_are_on_the_disk_are_read_by_another_thread() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, large()).unwrap();
        let (open, left) = (Arc::new(File::open(path).unwrap()), 1..large().len() as u64);
        let pieces = Pieces { open, left, used: Used::default(), reading: None, asks_the_kernel: false };
        assert!(sent(Content::Pieces(pieces.boxed())) == (24, large()[1..].to_vec()));
    }

    #[test]
    fn a_file_that_is_shorter_than_it_was_is_an_error_and_not_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        let (checksum, content) = (Checksum::of(&large()), large());
        store.put(checksum, content).unwrap();
        let Content::Pieces(pieces) = store.get(checksum).unwrap().unwrap().content else { panic!("in memory") };
        File::options().write(true).open(store.local_path(checksum).unwrap()).unwrap().set_len(1 << 20).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pieces: Vec<_> = runtime.block_on(pieces.collect());
        assert_eq!(pieces.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, true, false]);
    }
}
