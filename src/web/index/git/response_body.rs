//! The body of a response, which sends git's answer to one client and cuts the client off if it reads too slowly.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::time::sleep;

use super::fetch_permits::AnswerPermit;
use super::limits::Limits;
use super::spool::{End, Reader, Spool};

const TOO_SLOW: &str = "the client read git's answer too slowly";

/// What a body needs for its next piece, held between two pieces. The watcher of the client can take it away, because a
/// body that a client does not read is not polled.
#[derive(Debug)]
struct Slot {
    held: Mutex<Option<Held>>,
    is_cut: AtomicBool,
}

#[derive(Debug)]
struct Held {
    reader: Reader,
    _permit: AnswerPermit,
}

/// A body that starts with this piece and continues with what the reader reads.
pub fn body(first: Bytes, reader: Reader, permit: AnswerPermit, limits: &Limits) -> Body {
    let watcher = Watcher { position: reader.position(), spool: reader.spool(), limits: *limits };
    let held = Mutex::new(Some(Held { reader, _permit: permit }));
    let slot = Arc::new(Slot { held, is_cut: AtomicBool::new(false) });
    tokio::spawn(watcher.watch(Arc::downgrade(&slot)));
    Body::from_stream(stream::iter([Ok(first)]).chain(stream::unfold(Some(slot), next)))
}

/// The next piece of the body, its end, or an error. An error closes the connection, so that no client takes a part of
/// the answer for the whole.
async fn next(slot: Option<Arc<Slot>>) -> Option<(io::Result<Bytes>, Option<Arc<Slot>>)> {
    let slot = slot?;
    let broken = |reason: &'static str| Some((Err(io::Error::other(reason)), None));
    let held = slot.held.lock().take();
    let Some(mut held) = held else { return broken(TOO_SLOW) };
    match held.reader.next().await {
        Ok(piece) => {
            *slot.held.lock() = Some(held);
            if slot.is_cut.load(Ordering::SeqCst) {
                slot.held.lock().take();
                return broken(TOO_SLOW);
            }
            Some((Ok(piece), Some(slot)))
        }
        Err(End::Whole) => None,
        Err(_) => broken("git failed before its answer was complete"),
    }
}

/// Checks at intervals how much a client has read.
struct Watcher {
    position: Arc<AtomicU64>,
    spool: Weak<Spool>,
    limits: Limits,
}

impl Watcher {
    /// Cuts the client off if it is behind and reads less than the minimum in a window. The first window only measures
    /// how far behind it is.
    async fn watch(self, slot: Weak<Slot>) {
        let mut before: Option<(u64, u64)> = None;
        loop {
            sleep(self.limits.window).await;
            let (Some(slot), Some(spool)) = (slot.upgrade(), self.spool.upgrade()) else { return };
            let position = self.position.load(Ordering::SeqCst);
            let behind = spool.length().saturating_sub(position);
            drop(spool);
            if let Some((position_before, behind_before)) = before
                && position - position_before < behind_before.min(self.limits.least_read)
            {
                tracing::debug!(position, "cut off a client that reads git's answer too slowly");
                slot.is_cut.store(true, Ordering::SeqCst);
                let cut = slot.held.lock().take();
                drop(cut);
                return;
            }
            before = Some((position, behind));
        }
    }
}
