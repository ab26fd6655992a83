//! Draining the body of a request that is answered before its body was read.
//!
//! A client that is still sending when it is refused needs some time to read the answer: a connection that is closed with
//! unread data in it is reset, and the reset overtakes the answer, so that cargo would show a broken pipe instead of the
//! reason. So the request is answered at once, and a body that is dropped unread drains itself in the background, within
//! bounds: a client may wait for the answer before it continues. The bounds are tighter for a client without a valid
//! token. A connection that is being drained counts as idle: it is the first to be closed when connections run out.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How much of a body is drained.
#[derive(Clone, Copy)]
struct Bounds {
    bytes: u64,
    time: Duration,
}

/// For a client without a valid token: more than the largest crate, unless an operator allows larger ones.
const STRANGER: Bounds = Bounds { bytes: 32 * 1024 * 1024, time: Duration::from_secs(10) };
/// For a user.
const USER: Bounds = Bounds { bytes: 256 * 1024 * 1024, time: Duration::from_secs(30) };

/// Decides how much of a request's body is drained. Part of the request, as an extension.
#[derive(Clone, Default)]
pub struct Drain(Arc<AtomicU8>);

impl Drain {
    const OF_STRANGER: u8 = 0;
    const OF_USER: u8 = 1;
    const NONE: u8 = 2;

    /// The drain of a request's body.
    pub fn of(parts: &Parts) -> Self {
        parts.extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// The client is a user: more may be drained.
    pub fn raise(&self) {
        self.0.store(Self::OF_USER, Ordering::Relaxed);
    }

    /// Nothing more is read from the client.
    pub fn cancel(&self) {
        self.0.store(Self::NONE, Ordering::Relaxed);
    }

    fn bounds(&self) -> Option<Bounds> {
        match self.0.load(Ordering::Relaxed) {
            Self::OF_STRANGER => Some(STRANGER),
            Self::OF_USER => Some(USER),
            _ => None,
        }
    }
}

/// A body that drains itself when it is dropped, unless it has been read.
struct UnreadBody {
    body: Body,
    drain: Drain,
    /// The client waits for `100 Continue`, which it is sent when the body is read first. It has sent nothing yet.
    awaits_continue: bool,
}

impl HttpBody for UnreadBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.awaits_continue = false;
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = Body::empty();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for UnreadBody {
    fn drop(&mut self) {
        if self.awaits_continue || self.body.is_end_stream() {
            return;
        }
        // There is no runtime when the last requests are dropped at the end of the process.
        if let (Some(bounds), Ok(runtime)) = (self.drain.bounds(), Handle::try_current()) {
            let body = std::mem::take(&mut self.body);
            // When the time is over the body is dropped, which closes the connection, whatever the client still sends.
            runtime.spawn(async move { timeout(bounds.time, read(body, bounds.bytes)).await });
        }
    }
}

async fn read(mut body: Body, at_most: u64) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
        if read > at_most {
            return;
        }
    }
}

/// Lets the body of each request drain itself.
pub async fn drain(mut request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let drain = Drain::default();
    request.extensions_mut().insert(drain.clone());
    let awaits_continue = request.headers().contains_key(header::EXPECT);
    next.run(request.map(|body| Body::new(UnreadBody { body, drain, awaits_continue }))).await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use futures_util::stream;

    use super::*;

    /// A body of so many pieces of a MiB, the bytes that are read of it, and its drain.
    fn unread(pieces: u64, awaits_continue: bool) -> (Body, Arc<AtomicU64>, Drain) {
        let read = Arc::new(AtomicU64::new(0));
        let counter = read.clone();
        let body = Body::from_stream(stream::iter(0..pieces).map(move |_| {
            counter.fetch_add(1 << 20, Ordering::Relaxed);
            Ok::<_, axum::Error>(Bytes::from(vec![0; 1 << 20]))
        }));
        let drain = Drain::default();
        (Body::new(UnreadBody { body, drain: drain.clone(), awaits_continue }), read, drain)
    }

    use futures_util::StreamExt;

    /// What is drained of a dropped body, in MiB.
    fn drained(test: impl AsyncFnOnce() -> Arc<AtomicU64>) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let read = test().await;
            for _ in 0..10_000 {
                tokio::task::yield_now().await;
            }
            read.load(Ordering::Relaxed) >> 20
        })
    }

    #[test]
    fn a_body_that_is_dropped_unread_is_drained_within_bounds() {
        let of = |pieces| move || async move { unread(pieces, false).1 };
        assert_eq!(drained(of(5)), 5);
        assert_eq!(drained(of(500)), 33);
        let of_user = async || {
            let (_body, read, drain) = unread(500, false);
            drain.raise();
            read
        };
        assert_eq!(drained(of_user), 257);
    }

    #[test]
    fn a_body_that_was_begun_is_drained_to_its_end() {
        let begun = async || {
            let (mut body, read, _) = unread(5, true);
            body.frame().await.unwrap().unwrap();
            read
        };
        assert_eq!(drained(begun), 5);
    }

    #[test]
    fn a_body_for_which_the_client_waits_for_100_continue_or_whose_drain_is_cancelled_is_not_drained() {
        assert_eq!(drained(async || unread(5, true).1), 0);
        let cancelled = async || {
            let (_body, read, drain) = unread(5, false);
            drain.cancel();
            read
        };
        assert_eq!(drained(cancelled), 0);
    }
}
