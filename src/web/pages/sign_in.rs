//! `GET` and `POST /sign-in`, `POST /sign-out`: sessions for pages.
//!
//! The form takes a token, which stays on the server no longer than it takes to look it up. Another way to sign in would replace
//! this form, and begin the session in the same way.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::html;

use super::cookies;
use super::layout::Page;
use super::links::Links;
use super::visit::{Visit, foreign_form, same};
use crate::database::access::sessions::{self, SessionSecret};
use crate::web::extract::query::QueryParameters;
use crate::web::extract::{auth, body};
use crate::web::{ApiError, App};

/// The largest form, in bytes.
const MAX_FORM: usize = 16 * 1024;

/// `GET /sign-in`.
pub async fn show(visit: Visit, query: QueryParameters) -> Result<Response, ApiError> {
    let to = query.text("to").unwrap_or_default();
    form(&visit, &to, None)
}

/// The form. A browser gets a secret with it that the form must send back, so that a page of another site cannot sign it in.
fn form(visit: &Visit, to: &str, refused: Option<&ApiError>) -> Result<Response, ApiError> {
    let links = visit.links();
    let secret = match cookies::form(visit.headers()) {
        Some(secret) => secret,
        None => SessionSecret::random().map_err(ApiError::internal)?,
    };
    let signed_in = visit.caller().map(|caller| caller.user.login.as_str());
    let content = html! {
        h1 { "Sign in" }
        @if let Some(login) = signed_in { p { "You are signed in as " strong { (login) } ". Another token replaces this session." } }
        @if let Some(refused) = refused { p class="notice bad" role="alert" { strong { "That did not work." } " " (refused) "." } }
        form class="sign-in" method="post" action=(links.sign_in()) {
            input type="hidden" name="form_token" value=(secret.form_token());
            input type="hidden" name="to" value=(to);
            label for="token" { "Token" }
            input id="token" type="password" name="token" required autocomplete="current-password" autofocus
                spellcheck="false" maxlength="1024" aria-describedby="about-token";
            p id="about-token" class="aside-text" {
                "The token that you use with " code { "cargo login" } ". The session has the rights of this token, and ends with \
                 it, after twelve hours without use, and after seven days."
            }
            button type="submit" class="primary" { "Sign in" }
        }
        p { "No token yet? " a href=(links.me()) { "How to get one" } "." }
    };
    let status = refused.map_or(StatusCode::OK, ApiError::status);
    let mut response = visit.show(Page::new("Sign in", content).unlisted().with_status(status));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.remove(header::ETAG);
    if let Some(cookie) = cookies::keep_form(links, &secret) {
        headers.append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// `POST /sign-in`.
pub async fn sign_in(State(app): State<App>, visit: Visit, request: Request) -> Result<Response, ApiError> {
    let (parts, content) = request.into_parts();
    let sent = read_form(&parts, content).await?;
    visit.refuse_other_sites()?;
    let field = |name| sent.get(name).unwrap_or_default();
    let own = cookies::form(visit.headers()).map(|secret| secret.form_token());
    if !own.is_some_and(|own| same(&own, field("form_token"))) {
        return Err(foreign_form());
    }
    let to = field("to");
    let token = field("token").trim().to_owned();
    if token.is_empty() || token.len() > 1024 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let refused = ApiError::new(StatusCode::BAD_REQUEST, "this is no token: tokens begin with `sct_`");
        return form(&visit, to, Some(&refused));
    }
    let caller = match auth::look_up(&app, &parts, token).await? {
        Ok(caller) => caller,
        Err(refused) => {
            let refused = ApiError::refused_token(StatusCode::FORBIDDEN, refused, Vec::new());
            let mut shown = form(&visit, to, Some(&refused))?;
            // The refusal is counted and logged like every other.
            *shown.extensions_mut() = refused.into_response().extensions().clone();
            shown.extensions_mut().remove::<crate::web::error::ErrorText>();
            return Ok(shown);
        }
    };
    if caller.token.trusted.is_some() {
        let refused =
            ApiError::new(StatusCode::FORBIDDEN, "this token is of a machine, which has no pages: use one of a user");
        return form(&visit, to, Some(&refused));
    }
    let secret = SessionSecret::random().map_err(ApiError::internal)?;
    let (begun, id, before) = (secret.clone(), caller.token.id, visit.session().cloned());
    app.with_connection(move |connection| {
        if let Some(before) = before {
            sessions::end(connection, &before)?;
        }
        sessions::begin(connection, &begun, id)
    })
    .await?;
    tracing::info!(user = caller.user.login, token = caller.token.name, "signed in on a page");
    let links = visit.links();
    let cookies = [cookies::keep_session(links, &secret), cookies::forget_form(links)];
    Ok(leading_to(links, to, cookies))
}

/// `POST /sign-out`.
pub async fn sign_out(State(app): State<App>, visit: Visit, request: Request) -> Result<Response, ApiError> {
    let (parts, content) = request.into_parts();
    let sent = read_form(&parts, content).await?;
    if let Some(secret) = visit.session().cloned() {
        visit.check_form(sent.get("form_token"))?;
        app.with_connection(move |connection| sessions::end(connection, &secret)).await?;
    }
    Ok(leading_to(visit.links(), "/", [cookies::forget_session(visit.links()), None]))
}

/// Reads the fields of a form.
pub async fn read_form(parts: &Parts, content: Body) -> Result<QueryParameters, ApiError> {
    let content = body::read(parts, content, MAX_FORM, "16384: shorten it").await?;
    let text = std::str::from_utf8(&content).map_err(|_| {
        ApiError::new(StatusCode::BAD_REQUEST, "the form is not UTF-8: send it from a page of this registry")
    })?;
    Ok(QueryParameters::form(text))
}

/// Reads a form that a page of this session has sent.
pub async fn sent(visit: &Visit, request: Request) -> Result<QueryParameters, ApiError> {
    let (parts, content) = request.into_parts();
    let sent = read_form(&parts, content).await?;
    visit.check_form(sent.get("form_token"))?;
    Ok(sent)
}

/// Leads to a path below the registry's. Anything else leads home, so that the form cannot lead to another site.
fn leading_to(links: &Links, to: &str, cookies: [Option<HeaderValue>; 2]) -> Response {
    let place = links.to(if is_here(to) { to } else { "/" });
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response();
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_leads_to_no_other_host() {
        for here in ["/", "/crates/a?b=//c", "/search?q=a%20b"] {
            assert!(is_here(here), "{here}");
        }
        for there in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", "javascript:x", "/\t/evil"]
        {
            assert!(!is_here(there), "{there:?}");
        }
    }
}
