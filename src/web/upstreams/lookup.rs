//! The upstream that a request names, and the answer if it does not answer.

use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::client::FetchError;
use super::upstream::Upstream;
use crate::web::App;
use crate::web::index::plain_text::{plain, unavailable};

/// The rules about crates were never read.
pub(super) const UNREAD: &str =
    "the rules about this upstream cannot be read, because the database is away: try again later";

/// The answer to a request for an upstream that there is not.
pub(super) fn no_upstream(app: &App, name: &str) -> Response<Body> {
    plain(StatusCode::NOT_FOUND, app.settings.upstreams.no_such(name))
}

/// The answer if the upstream has none. Never a 404: cargo would take the crate for absent.
pub(super) fn no_answer(upstream: &Upstream, error: &FetchError) -> Response<Body> {
    if matches!(error, FetchError::Offline) {
        return unavailable(&format!(
            "this file of the upstream {} is not here, and this registry is offline (--upstream-offline): bring it with `supercargo bundle \
             import`, or ask the operator of this registry",
            upstream.settings.name
        ));
    }
    unavailable(&format!(
        "the upstream {} does not answer, and of this file nothing is kept that may be served: {error}",
        upstream.settings.name
    ))
}
