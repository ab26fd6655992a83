//! Private registries (`--auth-required`): every request for the index, a download or the API needs a token.
//!
//! A missing token and an invalid one are both answered with 401: cargo suggests `cargo login` for that status only. Cargo
//! sends no token to a git index; git uses its credential helper instead when it is challenged for Basic. A token of a user
//! who is disabled or was removed is answered with 403: no other token would help.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::middleware::Next;
use axum::response::IntoResponse;

use super::api::oauth;
use super::api::trusted_publishing::tokens::EXCHANGE;
use super::extract::auth::{cargo_challenge, look_up, token};
use super::{ApiError, App, pages};

/// What programs request. A browser that asks for something else is shown that there is no such page.
const FOR_PROGRAMS: [&str; 5] = ["/api/", "/index", "/git/", "/stage/", "/upstream/"];

/// Refuses requests without a valid token. Pages have a guard of their own.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response<Body> {
    let path = request.uri().path();
    // An ID token is exchanged, and a device gets a token, before there is another one.
    if path == EXCHANGE || oauth::OPEN.contains(&path) {
        return next.run(request).await;
    }
    if !FOR_PROGRAMS.iter().any(|beginning| path.starts_with(beginning)) && pages::wants_html(request.headers()) {
        return next.run(request).await;
    }
    let (mut parts, content) = request.into_parts();
    let token = match token(&parts.headers) {
        Ok(token) => token,
        Err(problem) => {
            let base = &app.settings.base_url;
            let detail = format!("{problem}. This registry is private: see {base}/me for how to get a token");
            let challenge = ApiError::challenge(detail, challenges(&app, parts.uri.path()));
            return challenge.because(problem.reason()).into_response();
        }
    };
    let refused = match look_up(&app, &parts, token).await {
        Ok(Ok(caller)) => {
            parts.extensions.insert(caller);
            return private(next.run(Request::from_parts(parts, content)).await);
        }
        // Another token of the user would be refused as well, so clients need not ask for one.
        Ok(Err(refused)) if refused.problem.is_of_user() => {
            ApiError::refused_token(StatusCode::FORBIDDEN, refused, Vec::new())
        }
        Ok(Err(refused)) => {
            ApiError::refused_token(StatusCode::UNAUTHORIZED, refused, challenges(&app, parts.uri.path()))
        }
        Err(failed) => failed,
    };
    refused.into_response()
}

fn challenges(app: &App, path: &str) -> Vec<String> {
    let basic = "Basic realm=\"supercargo\", charset=\"UTF-8\"".to_owned();
    if path.starts_with("/git/") { vec![basic] } else { vec![cargo_challenge(app)] }
}

/// Changes `public` in Cache-Control to `private`: a shared cache must not give one client's response to another.
fn private(mut response: Response<Body>) -> Response<Body> {
    let cached = response.headers().get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let Some(rewritten) =
        cached.filter(|value| value.contains("public")).map(|value| value.replace("public", "private"))
    else {
        return response;
    };
    if let Ok(value) = HeaderValue::try_from(rewritten) {
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    response
}
