//! An answer on its way to one client, which may be slow, and is cut off if it is so slow that it only holds a place.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::time::sleep;

use super::limits::{AnswerPermit, Limits};
use super::spool::{End, Reader, Spool};

/// Between two pieces of the body, what it needs for the next one. Whoever watches the client may take it away, because a
/// body of which nothing is taken is not asked for anything.
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

/// A body that begins with this and goes on with what the reader finds.
pub fn body(first: Bytes, reader: Reader, permit: AnswerPermit, limits: &Limits) -> Body {
    let watched = Watched { position: reader.position(), spool: reader.spool(), limits: *limits };
    let held = Mutex::new(Some(Held { reader, _permit: permit }));
    let slot = Arc::new(Slot { held, is_cut: AtomicBool::new(false) });
    tokio::spawn(watched.watch(Arc::downgrade(&slot)));
    Body::from_stream(stream::iter([Ok(first)]).chain(stream::unfold(Some(slot), next)))
}

/// The next piece of the body, its end, or the error that breaks the connection off: no client may take a part for the whole.
async fn next(slot: Option<Arc<Slot>>) -> Option<(io::Result<Bytes>, Option<Arc<Slot>>)> {
    let slot = slot?;
    let broken = |why: &'static str| Some((Err(io::Error::other(why)), None));
    let held = slot.held.lock().take();
    let Some(mut held) = held else { return broken("the client took too little of git's answer") };
    match held.reader.next().await {
        Ok(piece) => {
            *slot.held.lock() = Some(held);
            if slot.is_cut.load(Ordering::SeqCst) {
                slot.held.lock().take();
                return broken("the client took too little of git's answer");
            }
            Some((Ok(piece), Some(slot)))
        }
        Err(End::Whole) => None,
        Err(_) => broken("git's answer was cut short"),
    }
}

/// A client that is looked at now and then.
struct Watched {
    position: Arc<AtomicU64>,
    spool: Weak<Spool>,
    limits: Limits,
}

impl Watched {
    /// Cuts the client off when it is behind and takes less than it has to. The first window only says how far it is.
    async fn watch(self, slot: Weak<Slot>) {
        let mut before: Option<(u64, u64)> = None;
        loop {
            sleep(self.limits.window).await;
            let (Some(slot), Some(spool)) = (slot.upgrade(), self.spool.upgrade()) else { return };
            let position = self.position.load(Ordering::SeqCst);
            let behind = spool.length().saturating_sub(position);
            drop(spool);
            if let Some((position_before, behind_before)) = before
                && position - position_before < behind_before.min(self.limits.least_taken)
            {
                tracing::debug!(position, "a client takes too little of git's answer and is cut off");
                slot.is_cut.store(true, Ordering::SeqCst);
                let cut = slot.held.lock().take();
                drop(cut);
                return;
            }
            before = Some((position, behind));
        }
    }
}
