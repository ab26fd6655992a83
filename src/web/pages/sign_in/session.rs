//! The beginning of a session: where it begins, and the answer with its cookie.

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::database::access::sessions::{Origin, SessionSecret};
use crate::database::sign_in::begin::Arrival;
use crate::web::pages::cookies;
use crate::web::pages::links::Links;
use crate::web::pages::visit::Visit;
use crate::web::{ClientAddress, RequestId};

/// Where and in place of what a session begins.
pub(super) fn arrival(visit: &Visit, parts: &Parts) -> Arrival {
    let address = parts.extensions.get::<ClientAddress>().and_then(|client| client.ip()).map(|ip| ip.to_string());
    let browser = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Arrival {
        origin: Origin::new(address.clone(), browser),
        from: (address, parts.extensions.get::<RequestId>().map(ToString::to_string)),
        before: visit.session().cloned(),
    }
}

/// The answer with which a session begins.
pub(super) fn begun(links: &Links, to: &str, secret: &SessionSecret) -> Response {
    lead_here(
        links,
        to,
        [cookies::keep_session(links, secret), cookies::forget_form(links), cookies::forget_flow(links)],
    )
}

/// Leads to a path below the registry's. Anything else leads home, so that the form cannot lead to another site.
pub(super) fn lead_here<const N: usize>(links: &Links, to: &str, cookies: [Option<HeaderValue>; N]) -> Response {
    let place = links.to(if is_here(to) { to } else { "/" });
    let headers = [(header::LOCATION, place), (header::CACHE_CONTROL, "no-store".to_owned())];
    let mut response = (StatusCode::SEE_OTHER, headers).into_response();
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Whether a path is one of this host. Browsers take a second slash, and a backslash, for the beginning of a host's name.
fn is_here(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !path.split(['/', '?', '#']).any(|segment| segment == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_leads_to_no_other_host() {
        for here in ["/", "/crates/a?b=//c", "/search?q=a%20b"] {
            assert!(is_here(here), "{here}");
        }
        for there in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\nb",
            "javascript:x",
            "/\t/evil",
            "/../other",
            "/a/..?b",
        ] {
            assert!(!is_here(there), "{there:?}");
        }
    }
}
