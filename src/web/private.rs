//! A registry that answers nobody without a token (`--auth-required`): index, downloads, search and API alike.
//!
//! The answer is 401 for a missing token and for a bad one: cargo tells its user to log in for that status only. Cargo
//! sends no token to a git index; git asks its credential helper instead when it is challenged for Basic.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, header};
use axum::middleware::Next;
use axum::response::IntoResponse;

use super::extract::auth::{cargo_challenge, look_up, token};
use super::extract::body;
use super::{ApiError, App};

/// Pages that say how to get a token, which nobody has before.
const OPEN: [&str; 2] = ["/", "/me"];

/// Lets requests through that carry a token, and those to the pages that say how to get one.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response<Body> {
    if OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let (mut parts, content) = request.into_parts();
    let found = match token(&parts.headers) {
        Ok(token) => look_up(&app, &parts, token).await,
        Err(problem) => {
            Ok(Err(format!("{problem}. See {}/me for how to get one: this registry is private", app.settings.base_url)))
        }
    };
    let refused = match found {
        Ok(Ok(caller)) => {
            parts.extensions.insert(caller);
            return private(next.run(Request::from_parts(parts, content)).await);
        }
        Ok(Err(detail)) => ApiError::unauthorized(detail, challenges(&app, parts.uri.path())),
        Err(failed) => failed,
    };
    body::discard(&parts.headers, content, body::STRANGER);
    refused.into_response()
}

fn challenges(app: &App, path: &str) -> Vec<String> {
    let basic = "Basic realm=\"supercargo\", charset=\"UTF-8\"".to_owned();
    if path.starts_with("/git/") { vec![basic] } else { vec![cargo_challenge(app)] }
}

/// What was answered to one client must not be given to another by a cache in between.
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
