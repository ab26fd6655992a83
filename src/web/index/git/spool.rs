//! Git's answer in a file on the disk.
//!
//! It is written as fast as git produces it and read by each client at its own pace, so that a slow client occupies no
//! process. Readers follow the file while it grows, and several can read one answer.
//!
//! The file has no name: the kernel removes it when the last descriptor is closed, even if this process is killed. When
//! the disk budget is used up, the rest goes from git to the readers piece by piece, at the pace of the slowest.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::disk_budget::DiskBudget;
use super::fetch_permits::ClonePermit;
use crate::web::index::blocking::blocking;

/// The size of a read, in bytes. Each client needs this much memory.
const PIECE: u64 = 32 * 1024;

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is complete.
    Whole,
    /// Git refuses the request for this reason.
    Refused(String),
    /// Git reached a limit of memory or time.
    TooExpensive,
    /// Git failed; the log has the reason.
    Failed,
}

/// How much of an answer has been written.
#[derive(Debug, Default)]
struct State {
    /// Bytes in the file.
    filed: u64,
    /// The piece that bypasses the file, with its position.
    tail: Option<(u64, Bytes)>,
    end: Option<End>,
}

impl State {
    fn length(&self) -> u64 {
        self.tail.as_ref().map_or(self.filed, |(start, piece)| start + piece.len() as u64)
    }
}

/// An answer that is being written or is complete.
#[derive(Debug)]
pub struct Spool {
    /// `None` if it cannot be created.
    file: Option<File>,
    disk: Arc<DiskBudget>,
    state: watch::Sender<State>,
    readers: Mutex<Vec<Weak<AtomicU64>>>,
    /// Notified when a reader has read a piece or is dropped.
    moved: Notify,
    overflowed: AtomicBool,
    /// Held while git works at its own pace: until the end, or until the rest goes from git to the readers.
    clone: Mutex<Option<ClonePermit>>,
}

impl Spool {
    /// An empty answer, with a file in this directory if possible, and its first reader.
    pub fn new(directory: &Path, disk: Arc<DiskBudget>) -> (Arc<Self>, Reader) {
        let made = tempfile::tempfile_in(directory);
        if let Err(error) = &made {
            tracing::debug!(
                error = error as &dyn std::error::Error,
                "git's answer bypasses the disk because its file cannot be written"
            );
        }
        let file = made.ok();
        let overflowed = AtomicBool::new(file.is_none());
        let (state, receiver) = watch::channel(State::default());
        let readers = Mutex::default();
        let spool =
            Arc::new(Self { file, disk, state, readers, moved: Notify::new(), overflowed, clone: Mutex::default() });
        let reader = spool.reader(receiver);
        (spool, reader)
    }

    /// Another reader from the start; `None` if the start is not in the file.
    pub fn attach(self: &Arc<Self>) -> Option<Reader> {
        // The reader is registered first, so that a piece that overflows between the two steps waits for it.
        let reader = self.reader(self.state.subscribe());
        (!self.overflowed.load(Ordering::SeqCst)).then_some(reader)
    }

    fn reader(self: &Arc<Self>, receiver: watch::Receiver<State>) -> Reader {
        let position = Arc::new(AtomicU64::new(0));
        self.readers.lock().push(Arc::downgrade(&position));
        Reader { spool: Arc::clone(self), receiver, position }
    }

    fn open_file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::Error::other("the answer has no file"))
    }

    pub fn has_readers(&self) -> bool {
        self.state.receiver_count() > 0
    }

    /// Waits until it has no readers.
    pub async fn abandoned(&self) {
        self.state.closed().await;
    }

    /// Whether all of it is written.
    pub fn is_complete(&self) -> bool {
        self.state.borrow().end == Some(End::Whole)
    }

    /// Whether a part of it bypassed the file.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed.load(Ordering::SeqCst)
    }

    pub fn length(&self) -> u64 {
        self.state.borrow().length()
    }

    fn end_with(&self, end: End) {
        drop(self.clone.lock().take());
        self.state.send_if_modified(|state| {
            let is_first = state.end.is_none();
            if is_first {
                state.end = Some(end);
            }
            is_first
        });
    }

    /// Whether every reader has read up to this position.
    fn all_have_read(&self, length: u64) -> bool {
        let mut readers = self.readers.lock();
        readers.retain(|reader| reader.strong_count() > 0);
        readers.iter().filter_map(Weak::upgrade).all(|position| position.load(Ordering::SeqCst) >= length)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.disk.release(self.state.borrow().filed);
    }
}

/// The writer of an answer. If it is dropped before it finishes, the answer has failed.
#[derive(Debug)]
pub struct Writer(pub Arc<Spool>);

impl Writer {
    /// Holds the permit of a clone for as long as git works at its own pace.
    pub fn hold(&self, clone: Option<ClonePermit>) {
        *self.0.clone.lock() = clone;
    }

    /// Adds a piece. If it does not fit into the disk budget, waits until all readers have read what precedes it.
    pub async fn append(&self, piece: Bytes) {
        let spool = &self.0;
        if !spool.has_overflowed() {
            if self.file(piece.clone()).await {
                return;
            }
            spool.overflowed.store(true, Ordering::SeqCst);
        }
        drop(spool.clone.lock().take());
        loop {
            let length = spool.length();
            if spool.all_have_read(length) {
                spool.state.send_modify(|state| state.tail = Some((length, piece)));
                return;
            }
            spool.moved.notified().await;
        }
    }

    /// Adds a piece to the file, or is false if that is not possible.
    async fn file(&self, piece: Bytes) -> bool {
        let spool = Arc::clone(&self.0);
        let length = piece.len() as u64;
        if !spool.disk.take(length) {
            return false;
        }
        let start = spool.state.borrow().filed;
        let written = blocking(move || spool.open_file()?.write_all_at(&piece, start)).await;
        match written {
            Some(Ok(())) => {
                self.0.state.send_modify(|state| state.filed += length);
                true
            }
            Some(Err(error)) => {
                self.0.disk.release(length);
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "git's answer bypasses the disk because its file cannot be written"
                );
                false
            }
            None => {
                self.0.disk.release(length);
                false
            }
        }
    }

    /// Ends the answer.
    pub fn finish(self, end: End) {
        self.0.end_with(end);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.end_with(End::Failed);
    }
}

/// Reads an answer for one client.
#[derive(Debug)]
pub struct Reader {
    spool: Arc<Spool>,
    receiver: watch::Receiver<State>,
    /// Bytes read so far.
    position: Arc<AtomicU64>,
}

/// Where the next piece is.
enum Next {
    InFile(u64),
    InMemory(Bytes),
    End(End),
    NotYet,
}

impl Reader {
    /// Waits for the next piece; the error is how the answer ended.
    pub async fn next(&mut self) -> Result<Bytes, End> {
        let position = self.position.load(Ordering::SeqCst);
        loop {
            let next = {
                let state = self.receiver.borrow_and_update();
                match (&state.tail, &state.end) {
                    _ if position < state.filed => Next::InFile(PIECE.min(state.filed - position)),
                    (Some((start, piece)), _) if position == *start => Next::InMemory(piece.clone()),
                    (_, Some(end)) => Next::End(end.clone()),
                    (_, None) => Next::NotYet,
                }
            };
            let piece = match next {
                Next::InFile(length) => self.read(position, length).await?,
                Next::InMemory(piece) => piece,
                Next::End(end) => return Err(end),
                Next::NotYet => {
                    // The sender is in the spool, which this reader holds.
                    let _never_closed = self.receiver.changed().await;
                    continue;
                }
            };
            self.position.store(position + piece.len() as u64, Ordering::SeqCst);
            self.spool.moved.notify_one();
            return Ok(piece);
        }
    }

    async fn read(&self, position: u64, length: u64) -> Result<Bytes, End> {
        let spool = Arc::clone(&self.spool);
        let read = blocking(move || {
            let mut piece = BytesMut::zeroed(length as usize);
            spool.open_file()?.read_exact_at(&mut piece, position).map(|()| piece.freeze())
        });
        match read.await {
            Some(Ok(piece)) => Ok(piece),
            Some(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "git's answer cannot be read from the disk");
                Err(End::Failed)
            }
            None => Err(End::Failed),
        }
    }

    /// The number of bytes read so far, which grows with each piece.
    pub fn position(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.position)
    }

    /// The answer that is read.
    pub fn spool(&self) -> Weak<Spool> {
        Arc::downgrade(&self.spool)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The position first, then the notification. A dropped reader must not delay the writer, even if another task
        // still holds its position.
        self.position.store(u64::MAX, Ordering::SeqCst);
        self.spool.moved.notify_one();
    }
}
