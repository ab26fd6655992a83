//! The body of an answer that holds something until it was sent, or given up.
//!
//! A client that takes too little of a large body is cut off: in each minute in which it makes the server wait it must take
//! 64 KiB. The connection has the same rule for HTTP/1; over HTTP/2 a client can leave a single stream untaken while the
//! connection itself moves, so the body is watched. What it holds (memory, a file, a place) is released at the cut.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

/// Bodies up to this size are not watched: they fit into the buffers of a connection, in bytes.
const SMALL: u64 = 64 * 1024;

#[derive(Clone, Copy)]
struct Pace {
    /// How long a client may make the server wait while it takes less than `taken`.
    patience: Duration,
    /// In bytes.
    taken: u64,
    look_every: Duration,
}

const PACE: Pace = Pace { patience: Duration::from_secs(60), taken: 64 * 1024, look_every: Duration::from_secs(15) };

/// A body, and what is dropped with it.
pub struct HeldBody<T>(Arc<Mutex<Held<T>>>);

struct Held<T> {
    /// None after the cut.
    content: Option<(Body, T)>,
    /// Since when a piece waits to be taken.
    handed: Option<Instant>,
    /// How long pieces have waited, and how much was taken meanwhile.
    waited: Duration,
    taken: u64,
}

impl<T> HeldBody<T> {
    pub fn new(body: Body, held: T) -> Self {
        let held = Held { content: Some((body, held)), handed: None, waited: Duration::ZERO, taken: 0 };
        Self(Arc::new(Mutex::new(held)))
    }
}

impl<T: Send + 'static> HeldBody<T> {
    /// A body whose client is watched, if it is large. To be called within a runtime.
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

/// FetchRequests at a body until it is dropped, or its client is too slow.
async fn watch<T>(held: Weak<Mutex<Held<T>>>, pace: Pace) {
    loop {
        sleep(pace.look_every).await;
        let Some(held) = held.upgrade() else { return };
        let mut held = held.lock();
        if held.content.as_ref().is_none_or(|(body, _)| body.is_end_stream()) {
            // Everything was handed over, and the connection has its own limits.
            return;
        }
        let waited = held.waited + held.handed.map_or(Duration::ZERO, |since| since.elapsed());
        if held.taken >= pace.taken {
            (held.waited, held.taken) = (Duration::ZERO, 0);
            held.handed = held.handed.map(|_| Instant::now());
        } else if waited > pace.patience {
            let content = held.content.take();
            drop(held);
            drop(content);
            tracing::debug!("a client takes too little of an answer and is cut off");
            return;
        }
    }
}

impl<T> HttpBody for HeldBody<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut held = self.0.lock();
        if let Some(since) = held.handed.take() {
            held.waited += since.elapsed();
        }
        let Some((body, _)) = &mut held.content else {
            return Poll::Ready(Some(Err(axum::Error::new(std::io::Error::other("the client took too little")))));
        };
        let polled = Pin::new(body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            held.taken += frame.data_ref().map_or(0, |data| data.len() as u64);
            held.handed = Some(Instant::now());
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
        Pace { patience: Duration::from_millis(60), taken: 64 * 1024, look_every: Duration::from_millis(20) };

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    /// Endless, in pieces of 1 KiB.
    fn endless() -> Body {
        Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[0; 1024]))))
    }

    #[test]
    fn a_body_that_is_not_taken_is_cut_and_lets_go_of_what_it_holds() {
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
    fn a_body_whose_source_is_slow_is_not_cut() {
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
