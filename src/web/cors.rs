//! CORS: web pages of other origins may read the API, the index and crate files. Source: the Fetch standard, section 3.2.
//!
//! Only GET and HEAD are shared; a page of another origin can never send a change and read its answer. A browser sends its
//! stored credentials along for no such request, because `Access-Control-Allow-Credentials` is never sent.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use tower::{Layer, ServiceExt};
use tower_http::cors::{Any, CorsLayer};

/// Paths that are shared. Git needs POST, which is not.
const SHARED: [&str; 4] = ["/api/", "/index/", "/stage/", "/upstream/"];

/// Request headers that a page may set, in addition to those that every page may set.
const CONDITIONS: [HeaderName; 4] = [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_RANGE, header::RANGE];

/// Response headers that a page may read, in addition to those that every page may read.
const EXPOSED: [HeaderName; 7] = [
    header::ACCEPT_RANGES,
    header::CONTENT_DISPOSITION,
    header::CONTENT_RANGE,
    header::ETAG,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("x-request-id"),
];

/// How long a browser may reuse the answer to a preflight request.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// The origins whose pages may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedWith {
    Nobody,
    Everyone,
    /// Origins as browsers send them, such as `https://docs.example`.
    Origins(Vec<HeaderValue>),
}

/// The headers of every answer to a reading request, if they do not depend on its origin.
pub(super) fn constant(with: &SharedWith) -> Option<HeaderMap> {
    match with {
        SharedWith::Nobody => Some(HeaderMap::new()),
        SharedWith::Everyone => {
            let names = EXPOSED.each_ref().map(HeaderName::as_str).join(",");
            Some(HeaderMap::from_iter([
                (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
                (header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::try_from(names).ok()?),
            ]))
        }
        SharedWith::Origins(_) => None,
    }
}

/// The headers for these origins; None if nothing is shared.
///
/// Pages may send a token to a private registry, where nothing can be read without one, and from origins that the operator
/// names.
pub(super) fn layer(with: &SharedWith, auth_required: bool) -> Option<CorsLayer> {
    let shared = CorsLayer::new().allow_methods([Method::GET, Method::HEAD]).expose_headers(EXPOSED).max_age(MAX_AGE);
    let (shared, may_send_a_token) = match with {
        SharedWith::Nobody => return None,
        // The answer is the same for every origin, so caches need not distinguish them.
        SharedWith::Everyone => (shared.allow_origin(Any).vary([]), auth_required),
        SharedWith::Origins(origins) => (shared.allow_origin(origins.clone()).vary([header::ORIGIN]), true),
    };
    let token = may_send_a_token.then_some(header::AUTHORIZATION);
    Some(shared.allow_headers(CONDITIONS.into_iter().chain(token).collect::<Vec<_>>()))
}

/// Adds the headers to the answers to reading requests, and answers their preflight requests.
pub(super) async fn share(State(cors): State<CorsLayer>, request: Request, next: Next) -> Response {
    if !is_shared(&request) {
        return next.run(request).await;
    }
    match cors.layer(next).oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn is_shared(request: &Request) -> bool {
    let reads = |method: &[u8]| method == b"GET" || method == b"HEAD";
    let asked = || request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD);
    let is_reading = match *request.method() {
        Method::OPTIONS => asked().is_some_and(|method| reads(method.as_bytes())),
        ref method => reads(method.as_str().as_bytes()),
    };
    is_reading && SHARED.iter().any(|root| request.uri().path().starts_with(root))
}
