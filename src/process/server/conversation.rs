//! What is said on a connection: HTTP within limits, to the end of the connection or the word to stop.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::sleep;

use super::places::Activity;
use super::watched::Watched;
use crate::web::answers::held_body::HeldBody;

/// The most time for the head of a request, and between two requests of an HTTP/1 connection.
const REQUEST_HEAD: Duration = Duration::from_secs(30);
/// How long a connection on which nothing was asked may still ask after the word to stop.
const FIRST_REQUEST: Duration = Duration::from_secs(2);

/// The largest head of an HTTP/1 request, and the most that is read ahead of its body.
const HTTP1_BUFFER: usize = 64 * 1024;
/// Requests of an HTTP/2 connection at the same time. Cargo has tens.
const HTTP2_STREAMS: u32 = 32;
/// What an HTTP/2 client may send unread, on a stream and on a connection: enough for 10 Mbit/s at 100 ms.
const HTTP2_STREAM_WINDOW: u32 = 128 * 1024;
const HTTP2_WINDOW: u32 = 256 * 1024;
/// What is kept of an answer on each HTTP/2 stream for a client that does not take it.
const HTTP2_SEND_BUFFER: usize = 16 * 1024;
/// The largest head of an HTTP/2 request.
const HTTP2_HEAD: u32 = 16 * 1024;
/// Streams that a client resets before they were accepted, and those that are reset because of its mistakes.
const HTTP2_RESETS: usize = 20;
const HTTP2_MISTAKES: usize = 64;

/// The other end of a connection.
#[derive(Clone, Copy)]
pub(super) struct Client<'a> {
    pub(super) peer: SocketAddr,
    pub(super) activity: &'a Arc<Activity>,
}

/// How HTTP/1 and HTTP/2 are spoken. Which of both it is, TLS has said; without TLS it is HTTP/1.
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
        .max_local_error_reset_streams(HTTP2_MISTAKES);
    (builder.clone().http1_only(), builder.http2_only())
}

/// Answers requests until the client goes, something fails, or the word to stop.
pub(super) async fn talk(
    builder: &Builder<TokioExecutor>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: &TowerToHyperService<Router>,
    client: Client<'_>,
    mut stopping: watch::Receiver<bool>,
) {
    let peer = client.peer;
    let (stream, mut heard) = Watched::new(stream, peer);
    let service = hyper::service::service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let (working, answer) = (client.activity.begin(), service.call(request));
        async move { answer.await.map(|answer| answer.map(|body| HeldBody::watched(body, working))) }
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
