//! A response body that holds a resource until the body is sent or cancelled.
//!
//! A large body whose client reads too slowly is cancelled: in every minute that the server waits for the client, the client
//! must read 64 KiB. HTTP/1 connections have the same rule; over HTTP/2 a client can leave one stream unread while the
//! connection proceeds, so the body itself is watched. Cancelling releases the resource (memory, a file, a permit).

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

/// Bodies up to this size, in bytes, are not watched: they fit into the buffers of a connection.
const SMALL: u64 = 64 * 1024;

#[derive(Clone, Copy)]
struct Pace {
    /// How long the server waits for a client that reads less than `bytes`.
    patience: Duration,
    bytes: u64,
    check_every: Duration,
}

const PACE: Pace = Pace { patience: Duration::from_secs(60), bytes: 64 * 1024, check_every: Duration::from_secs(15) };

/// A body, and the resource that is dropped with it.
pub struct HeldBody<T>(Arc<Mutex<Held<T>>>);

struct Held<T> {
    /// None after cancelling.
    content: Option<(Body, T)>,
    /// When the piece that is not read yet was handed over.
    handed_at: Option<Instant>,
    /// How long pieces waited for the client, and the bytes that it read meanwhile.
    waited: Duration,
    read: u64,
}

impl<T> HeldBody<T> {
    pub fn new(body: Body, held: T) -> Self {
        let held = Held { content: Some((body, held)), handed_at: None, waited: Duration::ZERO, read: 0 };
        Self(Arc::new(Mutex::new(held)))
    }
}

impl<T: Send + 'static> HeldBody<T> {
    /// A body that is watched if it is large. Must be called within a Tokio runtime.
    pub fn watched(body: Body, held: T) -> Self {
        Self::with_pace(body, held, PACE)
    }

    fn with_pace(body: Body, held: T, pace: Pace) -> Self {
        let is_large = body.size_hint().upper().is_none_or(|size| size > SMALL);
        let held = Self::new(body, held);
        if is_large {
            tokio::spawn(watch(Arc::downgrade(&held.0), pace));
        }
        held
    }
}

/// Watches a body until it is dropped or its client is too slow.
async fn watch<T>(held: Weak<Mutex<Held<T>>>, pace: Pace) {
    loop {
        sleep(pace.check_every).await;
        let Some(held) = held.upgrade() else { return };
        let mut held = held.lock();
        if held.content.as_ref().is_none_or(|(body, _)| body.is_end_stream()) {
            // Everything was handed over; the connection has limits of its own.
            return;
        }
        let waited = held.waited + held.handed_at.map_or(Duration::ZERO, |since| since.elapsed());
        if held.read >= pace.bytes {
            (held.waited, held.read) = (Duration::ZERO, 0);
            held.handed_at = held.handed_at.map(|_| Instant::now());
        } else if waited > pace.patience {
            let content = held.content.take();
            drop(held);
            drop(content);
            tracing::debug!("cancelled a response: the client reads too slowly");
            return;
        }
    }
}

impl<T> HttpBody for HeldBody<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut held = self.0.lock();
        if let Some(since) = held.handed_at.take() {
            held.waited += since.elapsed();
        }
        let Some((body, _)) = &mut held.content else {
            return Poll::Ready(Some(Err(axum::Error::new(std::io::Error::other("the client reads too slowly")))));
        };
        let polled = Pin::new(body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            held.read += frame.data_ref().map_or(0, |data| data.len() as u64);
            held.handed_at = Some(Instant::now());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().content.as_ref().is_some_and(|(body, _)| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().content.as_ref().map_or_else(SizeHint::default, |(body, _)| body.size_hint())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt;

    use super::*;

    const SHORT: Pace =
        Pace { patience: Duration::from_millis(60), bytes: 64 * 1024, check_every: Duration::from_millis(20) };

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    /// An endless body in pieces of 1 KiB.
    fn endless() -> Body {
        Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[0; 1024]))))
    }

    #[test]
    fn a_body_that_is_not_read_is_cancelled_and_releases_what_it_holds() {
        run(async {
            let held = Arc::new(());
            let mut body = HeldBody::with_pace(endless(), Arc::clone(&held), SHORT);
            body.frame().await.unwrap().unwrap();
            tokio::time::timeout(Duration::from_secs(30), async {
                while Arc::strong_count(&held) > 1 {
                    sleep(Duration::from_millis(5)).await;
                }
            })
            .await
            .unwrap();
            assert!(body.frame().await.unwrap().is_err());
        });
    }

    #[test]
    fn a_body_whose_source_is_slow_is_not_cancelled() {
        run(async {
            let held = Arc::new(());
            let mut body = HeldBody::with_pace(
                Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()),
                Arc::clone(&held),
                SHORT,
            );
            let silent = tokio::time::timeout(5 * SHORT.patience, body.frame()).await;
            assert!(silent.is_err() && Arc::strong_count(&held) == 2);
        });
    }
}
