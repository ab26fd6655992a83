//! HTTP/1 and HTTP/2 on one connection, within limits, until it ends or the server stops.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use futures_util::future::Either;
use hyper::Version;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::sleep;

use super::lanes::Choice;
use super::places::{Activity, Request};
use super::watched::Watched;
use crate::web::answers::held_body::HeldBody;
use crate::web::fast_path::Answer;
use crate::web::limits::permits::Permit;
use crate::web::{AddressBlock, FastPath};

/// Time limit of a request head, and of the pause between two requests on an HTTP/1 connection.
const REQUEST_HEAD: Duration = Duration::from_secs(30);
/// How long a connection without a request may still send one after the stop signal.
const FIRST_REQUEST: Duration = Duration::from_secs(2);

/// The largest HTTP/1 request head, and the read buffer of its body.
const HTTP1_BUFFER: usize = 64 * 1024;
/// Concurrent requests of an HTTP/2 connection. Cargo sends tens.
const HTTP2_STREAMS: u32 = 32;
/// HTTP/2 receive windows of a stream and of a connection: enough for 10 Mbit/s at 100 ms.
const HTTP2_STREAM_WINDOW: u32 = 128 * 1024;
const HTTP2_WINDOW: u32 = 256 * 1024;
/// Send buffer of each HTTP/2 stream for a client that does not read.
const HTTP2_SEND_BUFFER: usize = 16 * 1024;
/// The largest HTTP/2 request head.
const HTTP2_HEAD: u32 = 16 * 1024;
/// Streams that a client may reset before they are accepted, and streams that are reset for protocol errors.
const HTTP2_RESETS: usize = 20;
const HTTP2_PROTOCOL_ERRORS: usize = 64;

/// The other end of a connection.
#[derive(Clone, Copy)]
pub(super) struct Client<'a> {
    pub(super) peer: SocketAddr,
    pub(super) activity: &'a Arc<Activity>,
    pub(super) choice: &'a Choice,
}

/// What answers requests.
pub(super) struct Services {
    router: TowerToHyperService<Router>,
    fast_path: Option<FastPath>,
}

impl Services {
    pub(super) fn new(router: Router, fast_path: Option<FastPath>) -> Self {
        Self { router: TowerToHyperService::new(router), fast_path }
    }

    fn answer(
        &self,
        mut request: hyper::Request<Incoming>,
        client: Client<'_>,
    ) -> impl Future<Output = Result<hyper::Response<HeldBody<Held>>, Infallible>> + use<> {
        let (working, is_http2) = (client.activity.begin(), request.version() == Version::HTTP_2);
        let recalled = self
            .fast_path
            .as_ref()
            .and_then(|fast_path| fast_path.answer(Some(client.peer.ip().to_canonical()), &request));
        let held = move |body, counted| {
            let held = (working, counted);
            // An HTTP/1 connection is watched as a whole.
            if is_http2 { HeldBody::watched(body, held) } else { HeldBody::new(body, held) }
        };
        if let Some(Answer { response, counted }) = recalled {
            client.choice.has_read();
            return Either::Left(ready(Ok(response.map(|body| held(body, counted)))));
        }
        client.choice.has_other();
        request.extensions_mut().insert(ConnectInfo(client.peer));
        let answer = self.router.call(request);
        Either::Right(async move { answer.await.map(|response| response.map(|body| held(body, None))) })
    }
}

/// What ends with an answer: its request, and its share of its client's limit if the router does not count it.
type Held = (Request, Option<Permit<AddressBlock>>);

/// The builders of HTTP/1 and HTTP/2 connections. ALPN selects one; without TLS it is HTTP/1.
pub(super) fn builders() -> (Builder<TokioExecutor>, Builder<TokioExecutor>) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(REQUEST_HEAD).max_buf_size(HTTP1_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_WINDOW)
        .max_send_buf_size(HTTP2_SEND_BUFFER)
        .max_header_list_size(HTTP2_HEAD)
        .max_pending_accept_reset_streams(HTTP2_RESETS)
        .max_local_error_reset_streams(HTTP2_PROTOCOL_ERRORS);
    (builder.clone().http1_only(), builder.http2_only())
}

/// Serves requests until the client disconnects, an error occurs, or the server stops.
pub(super) async fn serve(
    builder: &Builder<TokioExecutor>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    services: &Services,
    client: Client<'_>,
    mut stopping: watch::Receiver<bool>,
) {
    let peer = client.peer;
    let (stream, mut first_byte) = Watched::new(stream, peer);
    let service = hyper::service::service_fn(|request| services.answer(request, client));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => Some(ended),
        _ = stopping.wait_for(|stopping| *stopping) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            // The connection is polled first, so that a request that has arrived is read before the shutdown.
            let first = tokio::select! {
                biased;
                ended = connection.as_mut() => Some(ended),
                _ = first_byte.wait_for(|arrived| *arrived) => None,
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
        tracing::debug!(error, %peer, "a connection failed");
    }
}
