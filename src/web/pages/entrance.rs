//! The layer around all pages: who visits, whether that is enough, what an error looks like, and the headers of every answer.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, html};

use super::cookies;
use super::layout;
use super::links::Links;
use super::problem;
use super::visit::{Visit, wants_html};
use crate::client_connection::ClientConnection;
use crate::database::access::caller::Caller;
use crate::database::access::sessions::{self, Session, SessionSecret};
use crate::web::extract::auth;
use crate::web::request_id::record_caller;
use crate::web::{ApiError, App, ClientAddress, RequestId};

/// What a private registry shows without a session: how to get one, and how to set up cargo. Nothing of the registry's content.
const OPEN: [&str; 5] = ["/", "/me", "/sign-in", "/robots.txt", "/opensearch.xml"];

fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || path.starts_with("/sign-in/") || path.starts_with("/email/") || is_granted(path)
}

/// Whether the path itself has the permission to read, which is checked where the documentation is.
fn is_granted(path: &str) -> bool {
    path.starts_with("/docs/~")
}

/// Handles a request for a page.
pub async fn enter(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let links = Links::new(&app.settings.base_url);
    let mut response = match identify(&app, &parts).await {
        Ok(known) => {
            let visit = Visit::new(links, parts.headers.clone(), known, app.settings.auth_required);
            if visit.is_locked_out() && !is_open(parts.uri.path()) {
                locked_out(&app, &visit, &parts)
            } else {
                let (uri, is_open) = (parts.uri.clone(), visit.is_locked_out());
                parts.extensions.insert(visit.clone());
                if let Some(caller) = visit.caller() {
                    parts.extensions.insert(caller.clone());
                }
                let response = next.run(Request::from_parts(parts, body)).await;
                problem::explain(&app, &visit, uri.path(), !is_open, response).await
            }
        }
        Err(failed) => {
            let unknown = Visit::new(links, parts.headers.clone(), (None, None), app.settings.auth_required);
            problem::explain(&app, &unknown, parts.uri.path(), false, failed.into_response()).await
        }
    };
    layout::protect(response.headers_mut());
    if app.settings.auth_required {
        make_private(response.headers_mut());
    }
    response
}

/// Who sends a request, by the cookie of a session or by a token.
async fn identify(app: &App, parts: &Parts) -> Result<(Option<Caller>, Option<SessionSecret>), ApiError> {
    if let Some(secret) = cookies::session(&Links::new(&app.settings.base_url), &parts.headers) {
        let wanted = secret.clone();
        let found = app.with_connection(move |connection| sessions::find(connection, &wanted)).await?;
        if let Some(Session { user, token, proven_at, .. }) = found {
            record_caller(&user, &token);
            let caller = Caller {
                user,
                token,
                address: parts
                    .extensions
                    .get::<ClientAddress>()
                    .and_then(|client| client.ip())
                    .map(|ip| ip.to_string()),
                request_id: parts.extensions.get::<RequestId>().map(ToString::to_string),
                connection: parts.extensions.get::<ClientConnection>().cloned().unwrap_or_default(),
                proven_at: Some(proven_at),
            };
            return Ok((Some(caller), Some(secret)));
        }
    }
    // Programs that read feeds and files send a token.
    let Ok(token) = auth::token(&parts.headers) else { return Ok((None, None)) };
    match auth::look_up(app, parts, token).await? {
        Ok(caller) => Ok((Some(caller), None)),
        Err(refused) if app.settings.auth_required => {
            Err(ApiError::refused_token(StatusCode::UNAUTHORIZED, refused, challenges(app)))
        }
        Err(_) => Ok((None, None)),
    }
}

/// Leads people to the sign-in, and asks programs for a token. The answer is the same whether or not there is such a page.
fn locked_out(app: &App, visit: &Visit, parts: &Parts) -> Response {
    if wants_html(&parts.headers) && [Method::GET, Method::HEAD].contains(&parts.method) {
        return sign_in_first(visit.links(), parts);
    }
    let detail = format!(
        "this registry is private: sign in at {base}/sign-in, or send a token as the password of HTTP Basic. See {base}/me \
         for how to get one",
        base = app.settings.base_url
    );
    ApiError::challenge(detail, challenges(app)).into_response()
}

/// Leads a browser to the sign-in, and from there back.
pub fn sign_in_first(links: &Links, parts: &Parts) -> Response {
    let there = parts.uri.path_and_query().map(|there| there.as_str()).unwrap_or_default();
    // A browser that follows a link of another site keeps the session's cookie back. It sends the cookie if the same is
    // asked for by a page of this site.
    match parts.headers.get("sec-fetch-site").map(|value| value.as_bytes()) {
        Some(b"cross-site" | b"same-site") => refresh_to(&links.to(there)),
        _ => to_sign_in(links, there),
    }
}

/// A page that asks for another one at once.
pub fn refresh_to(place: &str) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content=(format!("0;url={place}"));
                title { "supercargo" }
            }
            body { p { a href=(place) { "Continue" } } }
        }
    };
    let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (headers, Html(page.into_string())).into_response()
}

/// Leads to the sign-in, and from there to a path below the registry's.
pub fn to_sign_in(links: &Links, there: &str) -> Response {
    let place = links.with_query("/sign-in", &[("to", if there == "/" { "" } else { there })]);
    let headers = [(header::LOCATION, place), (header::CACHE_CONTROL, "no-store".to_owned())];
    (StatusCode::SEE_OTHER, headers).into_response()
}

pub fn challenges(app: &App) -> Vec<String> {
    vec![auth::cargo_challenge(app), "Basic realm=\"supercargo\", charset=\"UTF-8\"".to_owned()]
}

/// Keeps an answer of a private registry out of shared caches.
fn make_private(headers: &mut HeaderMap) {
    let cached = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let rewritten = match cached {
        "no-cache" => "private, no-cache".to_owned(),
        other => other.replace("public", "private"),
    };
    if !rewritten.is_empty()
        && let Ok(value) = HeaderValue::try_from(rewritten)
    {
        headers.insert(header::CACHE_CONTROL, value);
    }
}
