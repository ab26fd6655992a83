//! A crate file on its way from an upstream to the store, and to the clients that wait for it.
//!
//! The SHA-256 is held against the one of the index before anything is kept, and before a client has the last byte.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::client::FetchError;
use crate::crate_store::{CrateStore, CrateStoreError};
use crate::fault;
use crate::package::Checksum;
use crate::package::checksum::Digest;

/// The largest crate file, in bytes.
pub const MAX_FILE: u64 = 256 * 1024 * 1024;

/// The largest piece, in bytes. The last one that has arrived is held back, and the client of the upstream reads several hundred
/// kilobytes at once.
const HELD_BACK: usize = 64 * 1024;

/// Why a file is not delivered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{url} has the SHA-256 {found}, and its index says {expected}")]
    Mismatch { url: String, found: Checksum, expected: Checksum },
    #[error("nothing of it has arrived within {0:?}: try again later")]
    NotBegun(Duration),
    #[error("it has not arrived within {0:?}")]
    TooLong(Duration),
    #[error("too many files of this upstream are on their way: try again later")]
    Crowded,
    #[error("the transfer ended before its end")]
    Aborted,
}

/// How far a transfer is.
#[derive(Clone, Debug, Default)]
struct Progress {
    bytes: u64,
    /// Its end: the whole file, or why there is none.
    ended: Option<Result<Bytes, TransferError>>,
}

/// A transfer that several clients may follow.
pub struct Transfer {
    pieces: Mutex<Vec<Bytes>>,
    /// The memory of the pieces, which is taken as long as somebody reads them.
    room: Mutex<Option<OwnedSemaphorePermit>>,
    progress: watch::Sender<Progress>,
    /// The size that the upstream has announced.
    length: Mutex<Option<u64>>,
}

impl Transfer {
    pub fn new() -> Self {
        Self {
            pieces: Mutex::default(),
            room: Mutex::default(),
            progress: watch::Sender::new(Progress::default()),
            length: Mutex::default(),
        }
    }

    /// The announced size.
    pub fn length(&self) -> Option<u64> {
        *self.length.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn announce(&self, length: Option<u64>) {
        *self.length.lock().unwrap_or_else(PoisonError::into_inner) = length;
    }

    pub(super) fn add(&self, piece: Bytes, room: OwnedSemaphorePermit) {
        let mut taken = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.as_mut() {
            Some(taken) => taken.merge(room),
            None => *taken = Some(room),
        }
        drop(taken);
        let length = piece.len() as u64;
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = piece;
        while rest.len() > HELD_BACK {
            pieces.push(rest.split_to(HELD_BACK));
        }
        pieces.push(rest);
        drop(pieces);
        self.progress.send_modify(|progress| progress.bytes += length);
    }

    pub(super) fn end(&self, ended: Result<Bytes, TransferError>) {
        self.progress.send_modify(|progress| progress.ended = Some(ended));
    }

    /// Ends it without a result, if it has not ended.
    pub(super) fn abort(&self) {
        self.progress.send_if_modified(|progress| {
            let is_open = progress.ended.is_none();
            progress.ended.get_or_insert(Err(TransferError::Aborted));
            is_open
        });
    }

    /// Puts the pieces together, if they are the file.
    pub(super) fn whole(&self, url: &str, expected: Checksum) -> Result<Bytes, TransferError> {
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut digest = Digest::default();
        pieces.iter().for_each(|piece| digest.update(piece));
        let (found, size) = digest.finish();
        if found != expected {
            return Err(TransferError::Mismatch { url: url.to_owned(), found, expected });
        }
        if let [one] = &pieces[..] {
            return Ok(one.clone());
        }
        let mut whole = BytesMut::with_capacity(usize::try_from(size).unwrap_or_default());
        pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
        Ok(whole.freeze())
    }

    /// The whole file.
    pub async fn wait(&self) -> Result<Bytes, TransferError> {
        let mut progress = self.progress.subscribe();
        let ended = progress.wait_for(|progress| progress.ended.is_some()).await;
        ended.ok().and_then(|progress| progress.ended.clone()).unwrap_or(Err(TransferError::Aborted))
    }

    /// Waits until the transfer has ended or has this many bytes, or for so long; returns its end. None if it goes on, and has sent
    /// something.
    pub async fn wait_for(&self, bytes: u64, longest: Duration) -> Option<Result<Bytes, TransferError>> {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.ended.is_some() || progress.bytes >= bytes);
        match tokio::time::timeout(longest, reached).await {
            Ok(reached) => reached.map_or(Some(Err(TransferError::Aborted)), |progress| progress.ended.clone()),
            Err(_) if self.progress.borrow().bytes > 0 => None,
            Err(_) => Some(Err(TransferError::NotBegun(longest))),
        }
    }

    /// The pieces as they come. The last one comes when the file is known to be the right one; otherwise the stream ends with an
    /// error, and the client's connection with it. hyper drops what it has not written yet when a body fails, also the head of
    /// the answer, so the error comes a turn later than the pieces: a client sees a file that is cut, not an empty answer.
    pub fn follow(self: Arc<Self>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let progress = self.progress.subscribe();
        stream::try_unfold((self, progress, 0), |(transfer, mut progress, next)| async move {
            let seen = progress
                .wait_for(|progress| {
                    let pieces = transfer.pieces.lock().unwrap_or_else(PoisonError::into_inner).len();
                    progress.ended.is_some() || next + 1 < pieces
                })
                .await
                .map(|progress| progress.ended.clone());
            match seen {
                Ok(None | Some(Ok(_))) => {
                    let piece = transfer.pieces.lock().unwrap_or_else(PoisonError::into_inner).get(next).cloned();
                    Ok(piece.map(|piece| (piece, (transfer, progress, next + 1))))
                }
                Ok(Some(Err(error))) => {
                    tokio::task::yield_now().await;
                    Err(io::Error::other(error))
                }
                Err(closed) => Err(io::Error::other(closed)),
            }
        })
    }
}

/// Keeps a file. One that cannot be kept is delivered all the same.
pub fn keep(store: &CrateStore, checksum: Checksum, content: &Bytes) {
    if fault::point("upstream.file_unstored").is_err() {
        tracing::error!(%checksum, "a crate file of an upstream is delivered and not kept: the fail point was armed");
        return;
    }
    let kept = store.check_free_space(content.len() as u64).and_then(|()| store.put(checksum, content.clone()));
    match kept {
        // An error has nothing left to spoil.
        Ok(()) => drop(fault::point("upstream.file_stored")),
        Err(error @ CrateStoreError::Full { .. }) => {
            tracing::error!(%checksum, %error, "the disk is full: a crate file of an upstream is delivered and not kept");
        }
        Err(error) => tracing::error!(%checksum, %error, "a crate file of an upstream is delivered and cannot be kept"),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};
    use tokio::sync::Semaphore;

    use super::*;

    fn with_two_pieces() -> Arc<Transfer> {
        let (transfer, room) = (Arc::new(Transfer::new()), Arc::new(Semaphore::new(2)));
        transfer.add(Bytes::from_static(b"one "), Arc::clone(&room).try_acquire_owned().unwrap());
        transfer.add(Bytes::from_static(b"two"), room.try_acquire_owned().unwrap());
        transfer
    }

    #[tokio::test]
    async fn the_last_piece_comes_with_the_right_checksum_and_not_before() {
        let transfer = with_two_pieces();
        let mut followed = Box::pin(Arc::clone(&transfer).follow());
        assert_eq!(followed.next().await.unwrap().unwrap(), "one ");
        let early = tokio::time::timeout(std::time::Duration::from_millis(50), followed.next()).await;
        assert!(early.is_err(), "the last piece came too early: {early:?}");
        let whole = transfer.whole("u", Checksum::of(b"one two")).unwrap();
        transfer.end(Ok(whole));
        assert_eq!(followed.next().await.unwrap().unwrap(), "two");
        assert!(followed.next().await.is_none());
        assert_eq!(transfer.wait().await.unwrap(), "one two");
    }

    #[tokio::test]
    async fn a_file_with_another_checksum_is_not_sent_to_its_end() {
        let transfer = with_two_pieces();
        let mut followed = Box::pin(Arc::clone(&transfer).follow());
        assert_eq!(followed.next().await.unwrap().unwrap(), "one ");
        transfer.end(transfer.whole("u", Checksum::of(b"one three")));
        let error = followed.next().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("its index says"), "{error}");
        assert!(matches!(transfer.wait().await, Err(TransferError::Mismatch { .. })));
    }

    #[tokio::test]
    async fn of_much_that_arrives_at_once_little_is_held_back() {
        let (transfer, room) = (Arc::new(Transfer::new()), Arc::new(Semaphore::new(1)));
        let content = vec![7; 10 * HELD_BACK];
        transfer.add(Bytes::from(content.clone()), room.try_acquire_owned().unwrap());
        let mut followed = Box::pin(Arc::clone(&transfer).follow());
        let mut sent = 0;
        while let Some(piece) = followed.next().now_or_never() {
            sent += piece.unwrap().unwrap().len();
        }
        assert_eq!(sent, 9 * HELD_BACK);
        assert_eq!(transfer.whole("u", Checksum::of(&content)).unwrap(), content);
    }

    #[tokio::test]
    async fn what_was_sent_before_an_error_is_written_first() {
        let transfer = with_two_pieces();
        transfer.end(Err(TransferError::Aborted));
        let mut followed = Box::pin(Arc::clone(&transfer).follow());
        assert!(followed.next().now_or_never().is_none(), "the error left no turn for the head of the answer");
        assert!(followed.next().await.unwrap().is_err());
    }
}
