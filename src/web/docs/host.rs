//! The host name of `--docs-url`. It has documentation, and nothing else of the registry: no pages, no API, no cookies.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, html};
use tower::ServiceExt;

use super::answer::{Place, answer};
use super::file::protect;
use crate::web::error::ErrorText;
use crate::web::limits::{address_requests, reads};
use crate::web::pages::visit::wants_html;
use crate::web::{ApiError, App};

/// Nothing is loaded, and nothing runs.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The host name, and what it has.
#[derive(Clone)]
pub(in crate::web) struct OwnHost {
    name: Arc<str>,
    router: Router,
}

impl OwnHost {
    /// The host of a URL, with the limits that the registry's own routes have.
    pub fn new(app: &App, url: &str) -> Self {
        let router = Router::new()
            .fallback(show)
            .with_state(app.clone())
            .layer(from_fn_with_state(app.settings.address_requests.clone(), address_requests::limit))
            .layer(from_fn(reads::mark));
        Self { name: name_in(url).into(), router }
    }
}

/// Answers what is for this host name, and passes on everything else.
pub(in crate::web) async fn divide(State(own): State<OwnHost>, request: Request, next: Next) -> Response {
    if !is_for(&own.name, request.headers(), request.uri()) {
        return next.run(request).await;
    }
    let Ok(response): Result<Response, Infallible> = own.router.oneshot(request).await;
    response
}

/// Whether a request is for the host name of this URL.
pub(in crate::web) fn is_at(url: &str, headers: &HeaderMap, uri: &Uri) -> bool {
    is_for(name_in(url), headers, uri)
}

fn is_for(name: &str, headers: &HeaderMap, uri: &Uri) -> bool {
    asked(headers, uri).is_some_and(|asked| name.eq_ignore_ascii_case(asked))
}

/// The host name of a URL, without its port.
pub fn name_in(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    without_port(authority.split('/').next().unwrap_or(authority))
}

fn asked<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.or(uri.authority().map(|authority| authority.as_str())).map(without_port)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => authority,
    }
}

async fn show(State(app): State<App>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let answered = match (&parts.method, parts.uri.path()) {
        (&Method::GET | &Method::HEAD, "/") => {
            let place = app.settings.base_url.clone();
            return (StatusCode::FOUND, [(header::LOCATION, place)]).into_response();
        }
        (&Method::GET | &Method::HEAD, path) => {
            let rest = path.trim_start_matches('/').to_owned();
            answer(&app, &parts, &rest, &Place::OwnHost).await
        }
        _ => Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this host has documentation, which is only read")),
    };
    let response = answered.unwrap_or_else(IntoResponse::into_response);
    match response.extensions().get::<ErrorText>().cloned() {
        Some(ErrorText(text)) if wants_html(&parts.headers) => page(&app, response, &text),
        _ => response,
    }
}

/// A page in place of an error, which needs nothing that this host does not have.
fn page(app: &App, response: Response, text: &str) -> Response {
    let base_url = &app.settings.base_url;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (response.status()) }
            }
            body {
                h1 { (response.status()) }
                p { (text) }
                p { a href=(base_url) { (base_url) } }
            }
        }
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    let mut shown = Html(page.into_string()).into_response();
    parts.headers.extend(std::mem::take(shown.headers_mut()));
    protect(&mut parts.headers, false);
    parts.headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    Response::from_parts(parts, shown.into_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_compared_without_its_port() {
        for url in ["https://docs.example", "http://docs.example:8080/x", "docs.example:1"] {
            assert_eq!(name_in(url), "docs.example", "{url}");
        }
        assert_eq!(name_in("http://[::1]:8080"), "[::1]");
        assert_eq!(name_in("http://[::1]"), "[::1]");
    }
}
