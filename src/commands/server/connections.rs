//! Connections, from their acceptance to their end.
//!
//! Nobody who is slow or silent keeps others waiting or a connection for himself for ever: each connection is a task of
//! its own from the moment it is accepted, and the handshake, the head of a request, the answer that is not taken, and
//! silence have their limits. The number of connections is bounded, since each costs open files; beyond it new ones wait
//! in the kernel. A permit that every connection holds is the bound, and at the end all permits are the sign that none is
//! left.
//!
//! After the word to stop, who was connected already is answered: connections that the kernel has taken are accepted, and
//! one on which nothing was asked yet may still ask once, within two seconds. Connections that have been used and are idle
//! are closed at once; clients expect that of them.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Site;
use super::watched::Watched;

/// The most time for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The most time for the head of a request, and between two requests of an HTTP/1 connection.
const REQUEST_HEAD: Duration = Duration::from_secs(30);
/// How long a connection on which nothing was asked may still ask after the word to stop.
const FIRST_REQUEST: Duration = Duration::from_secs(2);
/// How long nothing is accepted after it failed for lack of something, such as open files.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);
/// How often it is said that connections wait for others to end.
const SAY_FULL_EVERY: Duration = Duration::from_secs(60);

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// All connections of one listener.
pub(super) struct Connections {
    service: TowerToHyperService<Router>,
    tls: Option<Tls>,
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
    permits: Arc<Semaphore>,
    max_connections: u32,
}

struct Tls {
    acceptor: TlsAcceptor,
    /// For those who speak HTTP.
    refusal: TowerToHyperService<Router>,
}

impl Connections {
    pub(super) fn new(site: Site) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(REQUEST_HEAD);
        builder.http2().timer(TokioTimer::new());
        let tls = site.tls.map(|(config, refusal)| Tls {
            acceptor: TlsAcceptor::from(config),
            refusal: TowerToHyperService::new(refusal),
        });
        Self {
            service: TowerToHyperService::new(site.router),
            tls,
            // Which version it is, TLS has said; without TLS it is HTTP/1.
            http1: builder.clone().http1_only(),
            http2: builder.http2_only(),
            permits: Arc::new(Semaphore::new(site.max_connections as usize)),
            max_connections: site.max_connections,
        }
    }

    /// Accepts connections until the word to stop, and ends when all of them have ended.
    pub(super) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        mut stopped: oneshot::Receiver<()>,
    ) -> io::Result<()> {
        let (stop, stopping) = watch::channel(false);
        let mut said_full = None;
        loop {
            let next = async {
                let permit = self.permit(&mut said_full).await?;
                Ok((listener.accept().await, permit))
            };
            let accepted = tokio::select! {
                biased;
                // A sender that is gone means stop as well.
                _ = &mut stopped => break,
                accepted = next => accepted,
            };
            match accepted {
                Ok((Ok((stream, peer)), permit)) => self.spawn(stream, peer, permit, &stopping),
                Ok((Err(error), _)) if is_of_the_connection(&error) => {}
                Ok((Err(error), _)) | Err(error) => {
                    tracing::error!(%error, "no connection can be accepted; trying again");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
        // The receivers are gone when there is no connection.
        let _ = stop.send(true);
        self.accept_waiting(listener.into_std()?, &stopping);
        let _all = self.permits.acquire_many(self.max_connections).await;
        Ok(())
    }

    async fn permit(&self, said_full: &mut Option<Instant>) -> io::Result<OwnedSemaphorePermit> {
        if self.permits.available_permits() == 0 && said_full.is_none_or(|said| said.elapsed() > SAY_FULL_EVERY) {
            tracing::warn!("all {} connections are taken, others wait: see --max-connections", self.max_connections);
            *said_full = Some(Instant::now());
        }
        Arc::clone(&self.permits).acquire_owned().await.map_err(io::Error::other)
    }

    /// Accepts whom the kernel has let in already, as far as there is room.
    fn accept_waiting(self: &Arc<Self>, listener: std::net::TcpListener, stopping: &watch::Receiver<bool>) {
        while let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned()
            && let Ok((stream, peer)) = listener.accept()
            && let Ok(()) = stream.set_nonblocking(true)
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            self.spawn(stream, peer, permit, stopping);
        }
    }

    fn spawn(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
        stopping: &watch::Receiver<bool>,
    ) {
        let (connections, stopping) = (Arc::clone(self), stopping.clone());
        tokio::spawn(async move {
            connections.hold(stream, peer, stopping).await;
            drop(permit);
        });
    }

    /// One connection, to its end.
    async fn hold(&self, stream: TcpStream, peer: SocketAddr, stopping: watch::Receiver<bool>) {
        send_at_once(&stream);
        let Some(tls) = &self.tls else {
            return talk(&self.http1, stream, &self.service, peer, stopping).await;
        };
        match timeout(HANDSHAKE, handshake(&tls.acceptor, stream)).await {
            Ok(Ok(Handshake::Done(stream))) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let builder = if is_http2 { &self.http2 } else { &self.http1 };
                talk(builder, *stream, &self.service, peer, stopping).await;
            }
            Ok(Ok(Handshake::NoTls(stream))) => talk(&self.http1, stream, &tls.refusal, peer, stopping).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake did not end in time"),
        }
    }
}

/// Without TCP_NODELAY a peer loses 40 ms on every answer of a connection it keeps.
fn send_at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
}

enum Handshake {
    Done(Box<TlsStream<TcpStream>>),
    /// The client speaks something else.
    NoTls(TcpStream),
}

async fn handshake(acceptor: &TlsAcceptor, stream: TcpStream) -> io::Result<Handshake> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    if first != [TLS_HANDSHAKE] {
        return Ok(Handshake::NoTls(stream));
    }
    Ok(Handshake::Done(Box::new(acceptor.accept(stream).await?)))
}

/// Answers requests until the client goes, something fails, or the word to stop.
async fn talk(
    builder: &Builder<TokioExecutor>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: &TowerToHyperService<Router>,
    peer: SocketAddr,
    mut stopping: watch::Receiver<bool>,
) {
    let (stream, mut heard) = Watched::new(stream);
    let service = hyper::service::service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        service.call(request)
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => Some(ended),
        _ = stopping.wait_for(|stopping| *stopping) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            // The connection comes first, so that what has arrived is read before it is asked to end.
            let first = tokio::select! {
                biased;
                ended = connection.as_mut() => Some(ended),
                _ = heard.wait_for(|heard| *heard) => None,
                () = sleep(FIRST_REQUEST) => None,
            };
            match first {
                Some(ended) => ended,
                None => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, %peer, "a connection broke");
    }
}

/// A connection that was reset while it waited says nothing about the next one.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_answers_do_not_wait_for_more() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            assert!(!stream.nodelay().unwrap());
            send_at_once(&stream);
            assert!(stream.nodelay().unwrap());
        });
    }
}
