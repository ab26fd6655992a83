//! A name for each request, by which a line of the log leads to it and an answer leads to the log.
//!
//! A trusted proxy that has named it already is followed, so that both logs can be read together. Nobody else may choose
//! what stands in ours.

use std::fmt;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::{ClientAddress, TrustedProxies};
use crate::package::characters::Plain;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest name of a proxy that is taken over.
const MAX_LENGTH: usize = 128;

/// The name of a request. Every request has it as an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()).into())
    }

    /// What a proxy calls it, if that is a plain word.
    fn said(request: &Request) -> Option<Self> {
        let value = request.headers().get(X_REQUEST_ID)?.to_str().ok()?;
        let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(&byte));
        ((1..=MAX_LENGTH).contains(&value.len()) && is_plain).then(|| Self(value.into()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tells every handler, and every line of the log, whose request it is and what it is called; tells the client the name.
pub(super) async fn identify(State(trusted): State<TrustedProxies>, mut request: Request, next: Next) -> Response {
    let client = trusted.client_of(request.extensions(), request.headers());
    let by_proxy = if trusted.sent(request.extensions()) { RequestId::said(&request) } else { None };
    let id = by_proxy.unwrap_or_else(RequestId::random);
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// The span of a request. It has the level of errors, so that a log of errors alone tells of whose request each is.
pub(super) fn span<B>(request: &axum::http::Request<B>) -> tracing::Span {
    let client = request.extensions().get::<ClientAddress>().copied().unwrap_or_default();
    let id = request.extensions().get().map_or("", |RequestId(id)| &**id);
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let (method, path) = (request.method(), Plain(request.uri().path()));
    tracing::error_span!("request", id, %client, %method, %path, route, status = tracing::field::Empty)
}
