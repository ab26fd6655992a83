//! A stream with time limits for stalled clients, and a signal for its first byte.
//!
//! A client that has sent nothing yet has as long as for a request head. A client that reads nothing of an answer has a
//! minute; in each minute that the server waits for it, it must read 64 KiB. Any other silence (a handler at work, an HTTP/2
//! connection between requests) may last longer than any handler does.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::web::bounds::Bound;

/// Limit until the first byte.
const SILENT: Duration = Duration::from_secs(30);
/// Limit for the client to read the next bytes of an answer.
const NOT_READING: Duration = Duration::from_secs(60);
/// Bytes that a client must read in that time of waiting.
const TAKEN: u64 = 64 * 1024;
/// Limit without a byte in either direction.
const QUIET: Duration = Duration::from_secs(600);

/// A stream with limits.
pub(super) struct Watched<S> {
    stream: S,
    peer: SocketAddr,
    first_byte: watch::Sender<bool>,
    limits: Limits,
    /// When a byte was last read or written.
    moved: Instant,
    /// Since when the client has read nothing; None while it reads.
    not_reading: Option<Instant>,
    /// How long the server has waited for the client, and the bytes that it read meanwhile.
    waited: Duration,
    taken: u64,
    reading: Alarm,
    writing: Alarm,
}

#[derive(Clone, Copy)]
struct Limits {
    silent: Duration,
    not_reading: Duration,
    taken: u64,
    quiet: Duration,
}

impl<S> Watched<S> {
    /// The receiver becomes true with the first byte.
    pub(super) fn new(stream: S, peer: SocketAddr) -> (Self, watch::Receiver<bool>) {
        Self::with_limits(stream, peer, Limits { silent: SILENT, not_reading: NOT_READING, taken: TAKEN, quiet: QUIET })
    }

    fn with_limits(stream: S, peer: SocketAddr, limits: Limits) -> (Self, watch::Receiver<bool>) {
        let (first_byte, receiver) = watch::channel(false);
        let watched = Self {
            stream,
            peer,
            first_byte,
            limits,
            moved: Instant::now(),
            not_reading: None,
            waited: Duration::ZERO,
            taken: 0,
            reading: Alarm::default(),
            writing: Alarm::default(),
        };
        (watched, receiver)
    }

    fn read(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<bool>>) -> Poll<io::Result<()>> {
        match polled {
            Poll::Ready(Ok(some)) => {
                self.moved = Instant::now();
                if some {
                    self.first_byte.send_if_modified(|arrived| !std::mem::replace(arrived, true));
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let limit = if *self.first_byte.borrow() { self.limits.quiet } else { self.limits.silent };
                ready!(self.reading.poll(cx, self.moved + limit));
                Poll::Ready(Err(timed_out("the client was silent for too long")))
            }
        }
    }

    fn wrote(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.taken += *bytes as u64;
        }
        self.written(cx, polled)
    }

    fn written<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.moved = Instant::now();
            if let Some(since) = self.not_reading.take() {
                self.waited += self.moved - since;
            }
            if self.waited < self.limits.not_reading {
                return polled;
            }
            if self.taken < self.limits.taken {
                Bound::AnswerTime.met_by(self.peer.ip());
                return Poll::Ready(Err(timed_out("the client reads too slowly")));
            }
            (self.waited, self.taken) = (Duration::ZERO, 0);
            return polled;
        }
        let since = *self.not_reading.get_or_insert_with(Instant::now);
        ready!(self.writing.poll(cx, since + self.limits.not_reading));
        Bound::AnswerTime.met_by(self.peer.ip());
        Poll::Ready(Err(timed_out("the client does not read")))
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

/// A timer that may be postponed.
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
        self.wrote(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        contents: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, contents);
        self.wrote(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            // A flush alone is not progress: nothing may have been written.
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
    const NO_LIMITS: Limits = Limits { silent: NEVER, not_reading: NEVER, taken: 0, quiet: NEVER };

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    /// A pipe of four bytes, the server's end with limits.
    fn pipe(limits: Limits) -> (DuplexStream, Watched<DuplexStream>, watch::Receiver<bool>) {
        let (client, server) = duplex(4);
        let (server, first_byte) = Watched::with_limits(server, ([192, 0, 2, 1], 80).into(), limits);
        (client, server, first_byte)
    }

    #[test]
    fn a_client_that_never_sends_anything_is_disconnected() {
        run(async {
            let (_client, mut server, first_byte) = pipe(Limits { silent: SHORT, ..NO_LIMITS });
            assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert!(!*first_byte.borrow());
        });
    }

    #[test]
    fn a_client_that_has_sent_something_may_be_silent_for_the_longer_limit() {
        run(async {
            let (mut client, mut server, first_byte) = pipe(Limits { silent: SHORT, ..NO_LIMITS });
            client.write_u8(1).await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), 1);
            assert!(*first_byte.borrow());
            assert!(tokio::time::timeout(5 * SHORT, server.read_u8()).await.is_err(), "disconnected too early");

            let (mut client, mut server, _first_byte) = pipe(Limits { quiet: SHORT, ..NO_LIMITS });
            client.write_u8(1).await.unwrap();
            server.read_u8().await.unwrap();
            assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn a_client_that_reads_nothing_is_disconnected_and_a_slow_one_is_not() {
        run(async {
            let (mut client, mut server, _first_byte) = pipe(Limits { not_reading: 3 * SHORT, ..NO_LIMITS });
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

    #[test]
    fn a_client_that_reads_too_slowly_is_disconnected_and_its_pauses_do_not_count() {
        run(async {
            let limits = Limits { not_reading: 5 * SHORT, taken: 100, ..NO_LIMITS };
            let (mut client, mut server, _first_byte) = pipe(limits);
            let slow = async {
                loop {
                    tokio::time::sleep(SHORT).await;
                    client.read_u8().await.unwrap();
                }
            };
            let sent = tokio::select! {
                sent = server.write_all(&[0; 100]) => sent,
                () = slow => unreachable!(),
            };
            assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::TimedOut);

            let (mut client, mut server, _first_byte) = pipe(limits);
            for _ in 0..10 {
                // Nothing has to be sent meanwhile.
                tokio::time::sleep(SHORT).await;
                server.write_all(b"1").await.unwrap();
                client.read_u8().await.unwrap();
            }
        });
    }
}
