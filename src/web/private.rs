//! Private registries (`--auth-required`): every request for the index, a download or the API needs a token.
//!
//! A missing token and an invalid one are both answered with 401: cargo suggests `cargo login` for that status only. Cargo
//! sends no token to a git index; git uses its credential helper instead when it is challenged for Basic.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, header};
use axum::middleware::Next;
use axum::response::IntoResponse;

use super::extract::auth::{RefusedToken, cargo_challenge, look_up, token};
use super::{ApiError, App};

/// Pages that explain how to get a token, so they cannot need one.
const PUBLIC: [&str; 2] = ["/", "/me"];

/// Refuses requests without a valid token, except those for public pages.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response<Body> {
    if PUBLIC.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let (mut parts, content) = request.into_parts();
    let found = match token(&parts.headers) {
        Ok(token) => look_up(&app, &parts, token).await,
        Err(unusable) => Ok(Err(RefusedToken {
            detail: format!(
                "{unusable}. This registry is private: see {}/me for how to get a token",
                app.settings.base_url
            ),
            reason: unusable.reason(),
        })),
    };
    let refused = match found {
        Ok(Ok(caller)) => {
            parts.extensions.insert(caller);
            return private(next.run(Request::from_parts(parts, content)).await);
        }
        Ok(Err(refused)) => {
            ApiError::unauthorized(refused.detail, challenges(&app, parts.uri.path())).because(refused.reason)
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
