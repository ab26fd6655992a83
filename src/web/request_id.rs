//! Request ids, which connect responses with lines of the log.
//!
//! The id of a trusted proxy is kept, so that its log and this one can be read together. Other clients cannot choose ids.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::KeyValue;

use super::client_address::peer;
use super::measures::requests;
use super::shortened::shortened;
use super::unnamed_proxies::UnnamedProxies;
use super::{ClientAddress, TrustedProxies};
use crate::database::access::tokens::Token;
use crate::database::access::users::User;
use crate::package::characters::plain;
use crate::trace::{self, Parent, Sent};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Requests of machines every few seconds, which begin no traces.
const NOT_TRACED: [&str; 2] = ["/health/", "/metrics"];

/// The longest id of a proxy that is accepted.
const MAX_LENGTH: usize = 128;

/// The id of a request. Every request has it as an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    fn random() -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let number = rand::random::<u64>();
        let digits: [u8; 16] = std::array::from_fn(|place| DIGITS[(number >> (60 - 4 * place)) as usize % 16]);
        Self(std::str::from_utf8(&digits).unwrap_or_default().into())
    }

    /// The id that a proxy sent, if it is a plain word.
    fn sent(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(X_REQUEST_ID)?.to_str().ok()?;
        let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(&byte));
        ((1..=MAX_LENGTH).contains(&value.len()) && is_plain).then(|| Self(value.into()))
    }
}

impl RequestId {
    /// Adds the id to a response.
    pub(super) fn write(&self, response: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            response.insert(X_REQUEST_ID, value);
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The proxies in front of a listener. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    pub trusted: TrustedProxies,
    /// Reports those that are not trusted, if naming them would change anything.
    pub unnamed: Option<UnnamedProxies>,
}

impl Proxies {
    /// The client of a request that came from this peer, and the request's id.
    pub fn identified(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> (ClientAddress, RequestId) {
        if let Some(unnamed) = &self.unnamed {
            unnamed.notice(&self.trusted, peer, headers);
        }
        let by_proxy = if self.trusted.sent(peer) { RequestId::sent(headers) } else { None };
        (self.trusted.client_of(peer, headers), by_proxy.unwrap_or_else(RequestId::random))
    }

    /// The trace that a request continues, if traces are recorded. Several headers are none, as the standard demands.
    fn sent_trace(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<Sent> {
        if !trace::is_installed() {
            return None;
        }
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        Some(Sent { parent: Parent::parse(value.to_str().ok()?)?, is_trusted: self.trusted.sent(peer) })
    }
}

/// Adds the client's address and the id to the request, and the id to the response.
pub(super) async fn identify(State(proxies): State<Proxies>, mut request: Request, next: Next) -> Response {
    let (client, id) = proxies.identified(peer(request.extensions()), request.headers());
    if let Some(sent) = proxies.sent_trace(peer(request.extensions()), request.headers()) {
        request.extensions_mut().insert(sent);
    }
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    id.write(response.headers_mut());
    response
}

/// The log span of a request. Its level is error, so that a log with only errors has it as well.
pub(super) fn span<B>(request: &axum::http::Request<B>) -> tracing::Span {
    let client = request.extensions().get::<ClientAddress>().copied().unwrap_or_default();
    let id = request.extensions().get().map_or("", |RequestId(id)| &**id);
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let (method, path) = (shortened(request.method().as_str()), shortened(request.uri().path()));
    let empty = tracing::field::Empty;
    let span = tracing::error_span!(
        "request",
        id,
        %client,
        %method,
        path = &*path,
        route,
        user = empty,
        token = empty,
        token_id = empty,
        status = empty,
        trace_id = empty
    );
    if !NOT_TRACED.iter().any(|prefix| path.starts_with(prefix)) {
        let sent = request.extensions().get().copied();
        trace::begin_request(&span, sent, || facts(request.method(), route, id));
    }
    span
}

/// The name and the attributes of a request's span, by the semantic conventions for HTTP. The path is left out, since it may
/// hold what only its receiver should have, as the links of invitations do.
fn facts(method: &Method, route: Option<&str>, id: &str) -> (String, Vec<KeyValue>) {
    let (method, named) = match requests::label(method) {
        requests::OTHER => ("_OTHER", "HTTP"),
        known => (known, known),
    };
    let name = route.map_or_else(|| named.to_owned(), |route| format!("{named} {route}"));
    let mut attributes =
        vec![KeyValue::new("http.request.method", method), KeyValue::new("supercargo.request.id", id.to_owned())];
    attributes.extend(route.map(|route| KeyValue::new("http.route", route.to_owned())));
    (name, attributes)
}

/// Adds the caller to the span of the current request.
pub(super) fn record_caller(user: &User, token: &Token) {
    let span = tracing::Span::current();
    span.record("user", &*plain(&user.login));
    span.record("token", &*plain(&token.name));
    span.record("token_id", token.id);
}
