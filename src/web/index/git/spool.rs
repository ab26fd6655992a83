//! An answer of git on the disk, written at git's pace and read by each client at its own, so that a slow client keeps no
//! process. Readers follow the file while it grows, and several may read one answer.
//!
//! The file has no name: it goes with the last who has it open, whatever becomes of this process. Where the disk has no room,
//! the rest is handed from git to the readers piece by piece, at the pace of the slowest.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::limits::Room;
use crate::web::index::blocking;

/// What is read at once, in bytes. So much is in memory for each client.
const PIECE: u64 = 32 * 1024;

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is complete.
    Whole,
    /// git refuses the request, and says why.
    Refused(String),
    /// git reached a limit of memory or time.
    TooExpensive,
    /// git failed; the log tells why.
    Failed,
}

/// How far an answer is.
#[derive(Debug, Default)]
struct State {
    /// So many bytes are in the file.
    filed: u64,
    /// The piece that is handed on without the file, and where it begins.
    tail: Option<(u64, Bytes)>,
    end: Option<End>,
}

impl State {
    fn length(&self) -> u64 {
        self.tail.as_ref().map_or(self.filed, |(start, piece)| start + piece.len() as u64)
    }
}

/// An answer.
#[derive(Debug)]
pub struct Spool {
    /// None: there can't be one.
    file: Option<File>,
    room: Arc<Room>,
    state: watch::Sender<State>,
    readers: Mutex<Vec<Weak<AtomicU64>>>,
    /// A reader went on, or away.
    moved: Notify,
    overflowed: AtomicBool,
}

impl Spool {
    /// An empty answer, with a file in this directory if there can be one, and its first reader.
    pub fn new(directory: &Path, room: Arc<Room>) -> (Arc<Self>, Reader) {
        let made = tempfile::tempfile_in(directory);
        if let Err(error) = &made {
            tracing::debug!(error = error as &dyn std::error::Error, "an answer of git does not go to disk");
        }
        let file = made.ok();
        let overflowed = AtomicBool::new(file.is_none());
        let (state, receiver) = watch::channel(State::default());
        let readers = Mutex::default();
        let spool = Arc::new(Self { file, room, state, readers, moved: Notify::new(), overflowed });
        let reader = spool.reader(receiver);
        (spool, reader)
    }

    /// One more reader, from the beginning; None: the beginning is not kept.
    pub fn attach(self: &Arc<Self>) -> Option<Reader> {
        // In this order: what overflows between the two is seen by the reader that is registered already.
        let reader = self.reader(self.state.subscribe());
        (!self.overflowed.load(Ordering::SeqCst)).then_some(reader)
    }

    fn reader(self: &Arc<Self>, receiver: watch::Receiver<State>) -> Reader {
        let position = Arc::new(AtomicU64::new(0));
        self.readers.lock().push(Arc::downgrade(&position));
        Reader { spool: Arc::clone(self), receiver, position }
    }

    fn open_file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::Error::other("there is no file"))
    }

    pub fn has_readers(&self) -> bool {
        self.state.receiver_count() > 0
    }

    /// Waits until nobody reads it.
    pub async fn abandoned(&self) {
        self.state.closed().await;
    }

    /// The whole is there.
    pub fn is_complete(&self) -> bool {
        self.state.borrow().end == Some(End::Whole)
    }

    /// It has more than the file.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed.load(Ordering::SeqCst)
    }

    pub fn length(&self) -> u64 {
        self.state.borrow().length()
    }

    fn end_with(&self, end: End) {
        self.state.send_if_modified(|state| {
            let is_first = state.end.is_none();
            if is_first {
                state.end = Some(end);
            }
            is_first
        });
    }

    /// Whether every reader has all that is there.
    fn all_have(&self, length: u64) -> bool {
        let mut readers = self.readers.lock();
        readers.retain(|reader| reader.strong_count() > 0);
        readers.iter().filter_map(Weak::upgrade).all(|position| position.load(Ordering::SeqCst) >= length)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.room.give_back(self.state.borrow().filed);
    }
}

/// The right to write an answer; dropped before its end, the answer has failed.
#[derive(Debug)]
pub struct Writing(pub Arc<Spool>);

impl Writing {
    /// Adds a piece. Where the disk has no room for it, waits until all readers have taken what was before.
    pub async fn append(&self, piece: Bytes) {
        let spool = &self.0;
        if !spool.has_overflowed() {
            if self.file(piece.clone()).await {
                return;
            }
            spool.overflowed.store(true, Ordering::SeqCst);
        }
        loop {
            let length = spool.length();
            if spool.all_have(length) {
                spool.state.send_modify(|state| state.tail = Some((length, piece)));
                return;
            }
            spool.moved.notified().await;
        }
    }

    /// Adds a piece to the file; false: there is no room.
    async fn file(&self, piece: Bytes) -> bool {
        let spool = Arc::clone(&self.0);
        let length = piece.len() as u64;
        if !spool.room.take(length) {
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
                self.0.room.give_back(length);
                tracing::debug!(error = &error as &dyn std::error::Error, "an answer of git does not go to disk");
                false
            }
            None => {
                self.0.room.give_back(length);
                false
            }
        }
    }

    /// Ends the answer.
    pub fn finish(self, end: End) {
        self.0.end_with(end);
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.end_with(End::Failed);
    }
}

/// A client's way through an answer.
#[derive(Debug)]
pub struct Reader {
    spool: Arc<Spool>,
    receiver: watch::Receiver<State>,
    /// How far it is.
    position: Arc<AtomicU64>,
}

/// Where the next piece is.
enum Next {
    InFile(u64),
    Here(Bytes),
    End(End),
    Later,
}

impl Reader {
    /// The next piece, or how the answer ended.
    pub async fn next(&mut self) -> Result<Bytes, End> {
        let position = self.position.load(Ordering::SeqCst);
        loop {
            let next = {
                let state = self.receiver.borrow_and_update();
                match (&state.tail, &state.end) {
                    _ if position < state.filed => Next::InFile(PIECE.min(state.filed - position)),
                    (Some((start, piece)), _) if position == *start => Next::Here(piece.clone()),
                    (_, Some(end)) => Next::End(end.clone()),
                    (_, None) => Next::Later,
                }
            };
            let piece = match next {
                Next::InFile(length) => self.read(position, length).await?,
                Next::Here(piece) => piece,
                Next::End(end) => return Err(end),
                Next::Later => {
                    // The sender is in the spool, which is here.
                    let _always_there = self.receiver.changed().await;
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
                tracing::error!(error = &error as &dyn std::error::Error, "an answer of git can't be read from disk");
                Err(End::Failed)
            }
            None => Err(End::Failed),
        }
    }

    /// How far it is, for whoever watches it.
    pub fn position(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.position)
    }

    /// The answer, for whoever watches how much there is.
    pub fn spool(&self) -> Weak<Spool> {
        Arc::downgrade(&self.spool)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // First what is looked at, then the word to look. The reader does not count any more, whoever else has its position.
        self.position.store(u64::MAX, Ordering::SeqCst);
        self.spool.moved.notify_one();
    }
}
