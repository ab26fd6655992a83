//! Connections, from accept to close.
//!
//! Slow or silent clients delay nobody: each connection is a task of its own from the moment it is accepted, and the
//! handshake, the request head, an answer that is not read, and silence have time limits. The number of connections is
//! limited, because each costs open files, and so is the share of one client: `places` decides which connection is closed
//! for a new one. When all places are free, no connection is left.
//!
//! Shutdown still answers clients that are connected: connections in the kernel's backlog are accepted, and a connection
//! without a request may send one within two seconds. Idle connections that were used before are closed at once, which
//! clients expect.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto::Builder;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::conversation::{Client, Services, builders, serve};
use super::lanes::{Choice, Lanes, Movable};
use super::places::{Place, Places};
use super::site::Site;

/// Time limit of a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Pause after accept failed, for example for lack of open files.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);
/// Unsent bytes that the kernel buffers. With more, a slow client would occupy megabytes of kernel memory and seem to read
/// nothing for a minute and then very much.
const UNSENT: u32 = 128 * 1024;

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// All connections of one server.
pub(super) struct Connections {
    services: Services,
    tls: Option<Tls>,
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
    lanes: Lanes,
    places: Arc<Places>,
}

struct Tls {
    acceptor: TlsAcceptor,
    /// The response for clients that send plain HTTP.
    refusal: Services,
}

impl Connections {
    pub(super) fn new(site: Site, lanes: Lanes) -> Self {
        let (http1, http2) = builders();
        let tls = site.tls.map(|(config, refusal)| Tls {
            acceptor: TlsAcceptor::from(config),
            refusal: Services::new(refusal, None),
        });
        Self {
            services: Services::new(site.router, site.fast_path),
            tls,
            http1,
            http2,
            lanes,
            places: Arc::new(Places::new(site.name, site.max_connections, site.per_address, site.trusted_proxies)),
        }
    }

    /// Accepts connections until the stop signal, and returns when all of them have ended.
    pub(super) async fn serve(
        self: Arc<Self>,
        listeners: Vec<TcpListener>,
        mut stopped: oneshot::Receiver<()>,
    ) -> io::Result<()> {
        let (stop, stopping) = watch::channel(false);
        let mut turn = 0;
        loop {
            let next = async {
                let (stream, peer) = accept(&listeners, &mut turn).await?;
                Ok((self.places.find(peer).await, stream, peer))
            };
            let accepted: io::Result<_> = tokio::select! {
                biased;
                // A dropped sender means stop as well.
                _ = &mut stopped => break,
                accepted = next => accepted,
            };
            match accepted {
                Ok((Some(place), stream, peer)) => self.spawn(stream, peer, place, &stopping),
                Ok((None, ..)) => {}
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept connections; trying again");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
        // Fails only without connections.
        let _ = stop.send(true);
        for listener in listeners {
            self.accept_waiting(listener.into_std()?, &stopping);
        }
        self.places.all_free().await;
        Ok(())
    }

    /// Accepts the connections in the backlog while there are free places.
    fn accept_waiting(self: &Arc<Self>, listener: std::net::TcpListener, stopping: &watch::Receiver<bool>) {
        while let Ok((stream, peer)) = listener.accept()
            && let Some(place) = self.places.find_now(peer)
            && let Ok(()) = stream.set_nonblocking(true)
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            self.spawn(stream, peer, place, stopping);
        }
    }

    fn spawn(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, place: Place, stopping: &watch::Receiver<bool>) {
        let (connections, stopping) = (Arc::clone(self), stopping.clone());
        let choice = Arc::new(Choice::default());
        let chosen = Arc::clone(&choice);
        let connection = async move {
            let client = Client { peer, activity: &place.activity, choice: &chosen };
            tokio::select! {
                () = connections.hold(Tuned::new(stream), client, stopping) => {}
                () = place.activity.closed() => tracing::debug!(%peer, "closed an idle connection for a new one"),
            }
        };
        self.lanes.run(connection, choice);
    }

    /// Serves one connection until it ends.
    async fn hold(&self, Tuned(stream): Tuned, client: Client<'_>, stopping: watch::Receiver<bool>) {
        let stream = Movable::new(stream);
        let Some(tls) = &self.tls else {
            return serve(&self.http1, stream, &self.services, client, stopping).await;
        };
        let peer = client.peer;
        match timeout(HANDSHAKE, handshake(&tls.acceptor, stream)).await {
            Ok(Ok(Handshake::Done(stream))) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let builder = if is_http2 { &self.http2 } else { &self.http1 };
                serve(builder, *stream, &self.services, client, stopping).await;
            }
            Ok(Ok(Handshake::NoTls(stream))) => serve(&self.http1, stream, &tls.refusal, client, stopping).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake did not end in time"),
        }
    }
}

/// The next connection of any of these sockets. They are asked in turn, so that a busy one does not delay the others.
async fn accept(listeners: &[TcpListener], turn: &mut usize) -> io::Result<(TcpStream, SocketAddr)> {
    poll_fn(|context| {
        for _ in listeners {
            *turn = (*turn + 1) % listeners.len();
            if let Poll::Ready(accepted) = listeners[*turn].poll_accept(context) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}

/// A stream whose socket options are set; no other is served.
struct Tuned(TcpStream);

impl Tuned {
    /// Sets TCP_NODELAY, without which every answer on a kept connection takes 40 ms longer, and the limit of unsent bytes.
    fn new(stream: TcpStream) -> Self {
        let unsent = || SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
        if let Err(error) = stream.set_nodelay(true).and_then(|()| unsent()) {
            tracing::debug!(%error, "cannot set TCP_NODELAY or TCP_NOTSENT_LOWAT");
        }
        Self(stream)
    }
}

enum Handshake {
    Done(Box<TlsStream<Movable>>),
    /// The client does not use TLS.
    NoTls(Movable),
}

async fn handshake(acceptor: &TlsAcceptor, mut stream: Movable) -> io::Result<Handshake> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    if first != [TLS_HANDSHAKE] {
        return Ok(Handshake::NoTls(stream));
    }
    Ok(Handshake::Done(Box::new(acceptor.accept(stream).await?)))
}

/// Whether only this connection failed, for example because it was reset in the backlog.
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
            let Tuned(stream) = Tuned::new(stream);
            assert!(stream.nodelay().unwrap());
            assert_eq!(SockRef::from(&stream).tcp_notsent_lowat().unwrap(), UNSENT);
        });
    }
}
