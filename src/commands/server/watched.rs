//! A connection that ends when nothing moves on it, and that tells when the first byte has come.
//!
//! Three kinds of standstill have a limit. A client that has never said anything is waited for as long as for the head of a
//! request. A client that takes nothing of an answer is waited for a minute. Everything else (a handler at work, an HTTP/2
//! connection between requests) may be silent for longer than any handler is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

/// Until the first byte.
const SILENT: Duration = Duration::from_secs(30);
/// For the client to take the next bytes of an answer.
const NOT_TAKING: Duration = Duration::from_secs(60);
/// Without a byte in either direction.
const QUIET: Duration = Duration::from_secs(600);

/// A stream with limits.
pub(super) struct Watched<S> {
    stream: S,
    heard: watch::Sender<bool>,
    limits: Limits,
    /// When a byte was read or written for the last time.
    moved: Instant,
    /// Since when the client takes nothing; None if it does.
    not_taking: Option<Instant>,
    reading: Alarm,
    writing: Alarm,
}

#[derive(Clone, Copy)]
struct Limits {
    silent: Duration,
    not_taking: Duration,
    quiet: Duration,
}

impl<S> Watched<S> {
    /// The receiver turns true with the first byte.
    pub(super) fn new(stream: S) -> (Self, watch::Receiver<bool>) {
        Self::with_limits(stream, Limits { silent: SILENT, not_taking: NOT_TAKING, quiet: QUIET })
    }

    fn with_limits(stream: S, limits: Limits) -> (Self, watch::Receiver<bool>) {
        let (heard, receiver) = watch::channel(false);
        let (moved, not_taking) = (Instant::now(), None);
        let (reading, writing) = (Alarm::default(), Alarm::default());
        (Self { stream, heard, limits, moved, not_taking, reading, writing }, receiver)
    }

    fn read(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<bool>>) -> Poll<io::Result<()>> {
        match polled {
            Poll::Ready(Ok(some)) => {
                self.moved = Instant::now();
                if some {
                    self.heard.send_if_modified(|heard| !std::mem::replace(heard, true));
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let limit = if *self.heard.borrow() { self.limits.quiet } else { self.limits.silent };
                ready!(self.reading.poll(cx, self.moved + limit));
                Poll::Ready(Err(timed_out("the client was silent for too long")))
            }
        }
    }

    fn written<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            (self.moved, self.not_taking) = (Instant::now(), None);
            return polled;
        }
        let since = *self.not_taking.get_or_insert_with(Instant::now);
        ready!(self.writing.poll(cx, since + self.limits.not_taking));
        Poll::Ready(Err(timed_out("the client takes nothing")))
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

/// Wakes a task at a time that may be put off.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let polled = polled.map_ok(|()| buffer.filled().len() > before);
        self.read(cx, polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, content: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, content);
        self.written(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        contents: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, contents);
        self.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            // Nothing may have been written: a flush alone is no movement.
            Poll::Ready(flushed) => Poll::Ready(flushed),
            Poll::Pending => self.written(cx, Poll::Pending),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.written(cx, polled)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const NEVER: Duration = Duration::from_secs(3600);
    const NO_LIMITS: Limits = Limits { silent: NEVER, not_taking: NEVER, quiet: NEVER };

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    /// A pipe that holds four bytes, with the server's end under watch.
    fn pipe(limits: Limits) -> (DuplexStream, Watched<DuplexStream>, watch::Receiver<bool>) {
        let (client, server) = duplex(4);
        let (server, heard) = Watched::with_limits(server, limits);
        (client, server, heard)
    }

    #[test]
    fn a_client_that_never_says_anything_is_given_up() {
        run(async {
            let (_client, mut server, heard) = pipe(Limits { silent: SHORT, ..NO_LIMITS });
            assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert!(!*heard.borrow());
        });
    }

    #[test]
    fn a_client_that_has_spoken_is_waited_for_as_long_as_quiet_is_allowed() {
        run(async {
            let (mut client, mut server, heard) = pipe(Limits { silent: SHORT, ..NO_LIMITS });
            client.write_u8(1).await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), 1);
            assert!(*heard.borrow());
            assert!(tokio::time::timeout(5 * SHORT, server.read_u8()).await.is_err(), "given up too early");

            let (mut client, mut server, _heard) = pipe(Limits { quiet: SHORT, ..NO_LIMITS });
            client.write_u8(1).await.unwrap();
            server.read_u8().await.unwrap();
            assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn a_client_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        run(async {
            let (mut client, mut server, _heard) = pipe(Limits { not_taking: 3 * SHORT, ..NO_LIMITS });
            let slow = async {
                for _ in 0..8 {
                    tokio::time::sleep(SHORT).await;
                    client.read_u8().await.unwrap();
                }
            };
            let (sent, ()) = tokio::join!(server.write_all(b"12345678"), slow);
            sent.unwrap();
            assert_eq!(server.write_all(b"12345678").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        });
    }
}
