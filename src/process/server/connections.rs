//! Connections, from their acceptance to their end.
//!
//! Nobody who is slow or silent keeps others waiting or a connection for himself for ever: each connection is a task of
//! its own from the moment it is accepted, and the handshake, the head of a request, the answer that is not taken, and
//! silence have their limits. The number of connections is bounded, since each costs open files, and so is the share of one
//! client: `places` says which connection is closed for a new one. At the end, places that are all free are the sign that no
//! connection is left.
//!
//! After the word to stop, who was connected already is answered: connections that the kernel has taken are accepted, and
//! one on which nothing was asked yet may still ask once, within two seconds. Connections that have been used and are idle
//! are closed at once; clients expect that of them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Site;
use super::conversation::{Client, builders, talk};
use super::places::{Place, Places};

/// The most time for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long nothing is accepted after it failed for lack of something, such as open files.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);
/// What the kernel takes of an answer before the client has taken what came before it. With more, a slow client would
/// make the kernel keep megabytes, and seem to take nothing for a minute and then very much.
const UNSENT: u32 = 128 * 1024;

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// All connections of one listener.
pub(super) struct Connections {
    service: TowerToHyperService<Router>,
    tls: Option<Tls>,
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
    places: Arc<Places>,
}

struct Tls {
    acceptor: TlsAcceptor,
    /// For those who speak HTTP.
    refusal: TowerToHyperService<Router>,
}

impl Connections {
    pub(super) fn new(site: Site) -> Self {
        let (http1, http2) = builders();
        let tls = site.tls.map(|(config, refusal)| Tls {
            acceptor: TlsAcceptor::from(config),
            refusal: TowerToHyperService::new(refusal),
        });
        Self {
            service: TowerToHyperService::new(site.router),
            tls,
            http1,
            http2,
            places: Arc::new(Places::new(site.max_connections, site.per_address, site.trusted_proxies)),
        }
    }

    /// Accepts connections until the word to stop, and ends when all of them have ended.
    pub(super) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        mut stopped: oneshot::Receiver<()>,
    ) -> io::Result<()> {
        let (stop, stopping) = watch::channel(false);
        loop {
            let next = async {
                let (stream, peer) = listener.accept().await?;
                Ok((self.places.find(peer).await, stream, peer))
            };
            let accepted: io::Result<_> = tokio::select! {
                biased;
                // A sender that is gone means stop as well.
                _ = &mut stopped => break,
                accepted = next => accepted,
            };
            match accepted {
                Ok((Some(place), stream, peer)) => self.spawn(stream, peer, place, &stopping),
                Ok((None, ..)) => {}
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted; trying again");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
        // The receivers are gone when there is no connection.
        let _ = stop.send(true);
        self.accept_waiting(listener.into_std()?, &stopping);
        self.places.all_free().await;
        Ok(())
    }

    /// Accepts whom the kernel has let in already, as far as there is room.
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
        tokio::spawn(async move {
            let client = Client { peer, activity: &place.activity };
            tokio::select! {
                () = connections.hold(stream, client, stopping) => {}
                () = place.activity.closed() => tracing::debug!(%peer, "closed an idle connection for a new one"),
            }
        });
    }

    /// One connection, to its end.
    async fn hold(&self, stream: TcpStream, client: Client<'_>, stopping: watch::Receiver<bool>) {
        set_up(&stream);
        let Some(tls) = &self.tls else {
            return talk(&self.http1, stream, &self.service, client, stopping).await;
        };
        let peer = client.peer;
        match timeout(HANDSHAKE, handshake(&tls.acceptor, stream)).await {
            Ok(Ok(Handshake::Done(stream))) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let builder = if is_http2 { &self.http2 } else { &self.http1 };
                talk(builder, *stream, &self.service, client, stopping).await;
            }
            Ok(Ok(Handshake::NoTls(stream))) => talk(&self.http1, stream, &tls.refusal, client, stopping).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake did not end in time"),
        }
    }
}

/// Without TCP_NODELAY a peer loses 40 ms on every answer of a connection it keeps.
fn set_up(stream: &TcpStream) {
    let unsent = || SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
    if let Err(error) = stream.set_nodelay(true).and_then(|()| unsent()) {
        tracing::debug!(%error, "TCP_NODELAY or TCP_NOTSENT_LOWAT could not be set");
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
            set_up(&stream);
            assert!(stream.nodelay().unwrap());
            assert_eq!(SockRef::from(&stream).tcp_notsent_lowat().unwrap(), UNSENT);
        });
    }
}
