//! Parts of a page that the script refreshes while the page is open and seen. Without the script there is a link.

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::web::extract::query::QueryParameters;
use crate::web::pages::parts::time::{exact, machine};

/// A part with this id.
pub fn part(id: &str, content: &Markup) -> Markup {
    html! { div id=(id) data-live { (content) } }
}

/// Whether the script asks for the parts alone.
pub fn is_fragment(query: &QueryParameters) -> bool {
    query.get("fragment") == Some("1")
}

/// The parts alone.
pub fn fragment(parts: Markup) -> Response {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Html(parts.into_string())).into_response()
}

/// When the page was read, and the link that reads it again.
pub fn read_at(at: DateTime<Utc>, path: &str) -> Markup {
    html! {
        p class="muted" {
            "As of " time datetime=(machine(at)) { (exact(at)) } ". "
            a href=(path) { "Look again" }
        }
    }
}

/// Shown by the script when it cannot refresh the parts.
pub fn stale() -> Markup {
    html! { p id="stale" class="notice warn" role="status" hidden { "This page cannot be refreshed at the moment, and may be outdated." } }
}
