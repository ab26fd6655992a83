//! Two lanes of threads. Requests that memory answers at once take microseconds, but thousands of connections with them keep
//! every task of their threads waiting for milliseconds, and a publish waits several times. So connections that only read are
//! moved to threads of their own, and moved back when they ask for something else.
//!
//! A connection is one future, which may be polled by any thread. What it was doing when it is moved goes on: the first poll on
//! the other lane looks at everything again. Only its socket has to be registered again, because the events of a socket are
//! reported by one runtime: [`Movable`] registers it where it is polled.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle, Runtime};

/// Requests in a row that were answered from memory, after which a connection is one that reads.
const READS: u8 = 2;

/// Threads for one kind of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Requests,
    Reads,
}

thread_local! {
    /// The lane of this thread; None for threads of others.
    static HERE: Cell<Option<Lane>> = const { Cell::new(None) };
}

/// The runtimes of both lanes.
pub(super) struct Runtimes {
    requests: Runtime,
    /// None if nothing is answered from memory.
    reads: Option<Runtime>,
}

impl Runtimes {
    /// Starts the threads of both lanes, as many for each; None for one per CPU.
    pub fn start(threads: Option<usize>, has_reads: bool) -> io::Result<Self> {
        let runtime = |lane: Lane, name: &str| {
            let mut runtime = Builder::new_multi_thread();
            if let Some(threads) = threads {
                runtime.worker_threads(threads);
            }
            runtime.thread_name(name).on_thread_start(move || HERE.set(Some(lane))).enable_all().build()
        };
        let reads = has_reads.then(|| runtime(Lane::Reads, "reads")).transpose()?;
        Ok(Self { requests: runtime(Lane::Requests, "web")?, reads })
    }

    /// The runtime of everything but reads.
    pub fn requests(&self) -> &Runtime {
        &self.requests
    }

    pub fn lanes(&self) -> Lanes {
        let requests = self.requests.handle().clone();
        Lanes { reads: self.reads.as_ref().map_or_else(|| requests.clone(), |reads| reads.handle().clone()), requests }
    }

    /// Ends the threads, and what they still do after this time.
    pub fn shutdown(self, timeout: std::time::Duration) {
        if let Some(reads) = self.reads {
            reads.shutdown_timeout(timeout);
        }
        self.requests.shutdown_timeout(timeout);
    }
}

/// Both lanes, for those who bring connections.
#[derive(Clone)]
pub(super) struct Lanes {
    requests: Handle,
    reads: Handle,
}

impl Lanes {
    /// Polls a connection until it ends, on the lane that it chooses.
    pub fn run(&self, connection: impl Future<Output = ()> + Send + 'static, choice: Arc<Choice>) {
        let moving = Moving { connection: Some(Box::pin(connection)), choice, on: Lane::Requests, lanes: self.clone() };
        self.requests.spawn(moving);
    }

    fn of(&self, lane: Lane) -> &Handle {
        match lane {
            Lane::Requests => &self.requests,
            Lane::Reads => &self.reads,
        }
    }
}

/// The lane that a connection belongs to, by its last requests.
#[derive(Default)]
pub(super) struct Choice {
    /// Requests in a row that were answered from memory.
    reads: AtomicU8,
}

impl Choice {
    /// A request was answered from memory.
    pub fn has_read(&self) {
        if self.reads.load(Ordering::Relaxed) < READS {
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A request needs more than memory.
    pub fn has_other(&self) {
        self.reads.store(0, Ordering::Relaxed);
    }

    fn lane(&self) -> Lane {
        if self.reads.load(Ordering::Relaxed) < READS { Lane::Requests } else { Lane::Reads }
    }
}

/// A connection on one of the lanes. It ends there when it goes on with the other.
struct Moving {
    /// None after it was moved.
    connection: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    choice: Arc<Choice>,
    on: Lane,
    lanes: Lanes,
}

impl Future for Moving {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(()) };
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let lane = self.choice.lane();
        if lane == self.on {
            return Poll::Pending;
        }
        let moved = Self {
            connection: self.connection.take(),
            choice: Arc::clone(&self.choice),
            on: lane,
            lanes: self.lanes.clone(),
        };
        self.lanes.of(lane).spawn(moved);
        Poll::Ready(())
    }
}

/// A socket whose events are reported by the runtime that polls it.
pub(super) struct Movable {
    /// None after it could not be moved.
    stream: Option<TcpStream>,
    on: Option<Lane>,
}

impl Movable {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream: Some(stream), on: HERE.get() }
    }

    /// The first bytes that have arrived, which stay to be read.
    pub async fn peek(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.here()?.peek(buffer).await
    }

    fn here(&mut self) -> io::Result<&mut TcpStream> {
        let here = HERE.get();
        if here.is_some() && here != self.on {
            let stream = self.stream.take().map(TcpStream::into_std).transpose()?;
            self.stream = stream.map(TcpStream::from_std).transpose()?;
            self.on = here;
        }
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Movable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.here()?).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Movable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, content: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.here()?).poll_write(cx, content)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        contents: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.here()?).poll_write_vectored(cx, contents)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.here()?).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.here()?).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// An echo of single bytes: `r` is a read, and everything else is another request. Each echo is followed by the lane that
    /// answered.
    async fn echo(mut stream: Movable, choice: Arc<Choice>) {
        while let Ok(byte) = stream.read_u8().await {
            if byte == b'r' {
                choice.has_read()
            } else {
                choice.has_other()
            }
            let lane = if HERE.get() == Some(Lane::Reads) { b'R' } else { b'W' };
            stream.write_all(&[byte, lane]).await.unwrap();
        }
    }

    #[test]
    fn a_connection_is_polled_on_the_lane_of_its_last_requests_and_loses_nothing() {
        use std::io::{Read, Write};
        let runtimes = Runtimes::start(Some(1), true).unwrap();
        let (lanes, choice) = (runtimes.lanes(), Arc::new(Choice::default()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        runtimes.requests().spawn(async move {
            let stream = Movable::new(TcpStream::from_std(stream).unwrap());
            lanes.run(echo(stream, Arc::clone(&choice)), choice);
        });
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut ask = |byte: u8| {
            client.write_all(&[byte]).unwrap();
            let mut answer = [0; 2];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer[0], byte);
            answer[1]
        };
        // It is moved when it waits for the next byte, which may be there already.
        let mut until_on = |lane: u8, byte: u8| (0..1000).find(|_| ask(byte) == lane);
        for _ in 0..50 {
            assert!(until_on(b'R', b'r').is_some_and(|asked| asked >= usize::from(READS)));
            assert!(until_on(b'W', b'x').is_some());
        }
        runtimes.shutdown(Duration::from_secs(1));
    }

    #[test]
    fn tasks_of_the_one_lane_do_not_wait_for_those_of_the_other() {
        let runtimes = Runtimes::start(Some(1), true).unwrap();
        let lanes = runtimes.lanes();
        let (busy, is_busy) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        lanes.of(Lane::Reads).spawn(async move {
            busy.send(()).unwrap();
            // The only thread of the lane is taken until the other one has answered.
            ends.recv().unwrap();
        });
        is_busy.recv().unwrap();
        let answered = lanes.of(Lane::Requests).spawn(async { HERE.get() });
        assert_eq!(runtimes.requests().block_on(answered).unwrap(), Some(Lane::Requests));
        end.send(()).unwrap();
        runtimes.shutdown(Duration::from_secs(1));
    }
}
