//! Who is asking.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::database::access::authentication::{self, Authentication};
use crate::database::access::caller::{Caller, Line};
use crate::web::{ApiError, App, ClientAddress, RequestId};

/// The longest token worth a look.
const MAX_TOKEN: usize = 1024;

/// The user whose token the request carries.
pub async fn authenticate(app: &App, parts: &Parts) -> Result<Caller, ApiError> {
    // A private registry has asked before the request came here.
    if let Some(caller) = parts.extensions.get::<Caller>() {
        return Ok(caller.clone());
    }
    let token = token(&parts.headers).map_err(|problem| {
        let detail = format!("{problem}. See {}/me for how to get one", app.settings.base_url);
        ApiError::unauthorized(detail, vec![cargo_challenge(app)])
    })?;
    match look_up(app, parts, token).await? {
        Ok(caller) => Ok(caller),
        Err(refused) => Err(ApiError::new(StatusCode::FORBIDDEN, refused)),
    }
}

/// The user, or why the token is none.
pub(crate) async fn look_up(app: &App, parts: &Parts, token: String) -> Result<Result<Caller, String>, ApiError> {
    let line = parts.extensions.get::<Line>().cloned().unwrap_or_default();
    let address = parts.extensions.get::<ClientAddress>().and_then(|client| client.ip());
    let found = app.with_connection(move |connection| authentication::authenticate(connection, &token)).await?;
    let base = &app.settings.base_url;
    Ok(match found {
        Authentication::Known(user, token) => Ok(Caller {
            user,
            token,
            address: address.map(|ip| ip.to_string()),
            request_id: parts.extensions.get::<RequestId>().map(ToString::to_string),
            line,
        }),
        Authentication::Unknown => Err(format!(
            "the token is unknown to this registry or was revoked: see {base}/me for how to get one, and run \
             `cargo login` with it"
        )),
        Authentication::Expired(token) => Err(format!(
            "the token `{}` has expired{}: see {base}/me for how to get another one, and run `cargo login` with it",
            token.name,
            token.expires_at.map(|end| format!(" on {}", end.format("%Y-%m-%d at %H:%M UTC"))).unwrap_or_default()
        )),
    })
}

/// What cargo shows to its user, and gives to credential providers.
pub(crate) fn cargo_challenge(app: &App) -> String {
    format!("Cargo login_url=\"{}/me\"", app.settings.base_url)
}

/// Cargo sends the token bare. A `Bearer` in front is accepted as well, and HTTP Basic with the token as the password,
/// which is what git and browsers have.
pub(crate) fn token(headers: &HeaderMap) -> Result<String, &'static str> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err("this needs a token: run `cargo login` with one");
    };
    let text = value.to_str().unwrap_or_default().trim();
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim().to_owned(),
        Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => password(pair.trim()).unwrap_or_default(),
        None if text.eq_ignore_ascii_case("bearer") || text.eq_ignore_ascii_case("basic") => String::new(),
        _ => text.to_owned(),
    };
    if token.is_empty() || token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "the Authorization header holds no token: send the token itself, with or without `Bearer` in front, \
                    or as the password of HTTP Basic",
        );
    }
    Ok(token)
}

/// What stands behind the colon, or, where there is nothing, before it.
fn password(pair: &str) -> Option<String> {
    let decoded = STANDARD.decode(pair).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    Some(if password.is_empty() { user } else { password }.to_owned())
}

/// For handlers that read no body; one that does has to hear the client out before it refuses.
pub struct Authenticated(pub Caller);

impl FromRequestParts<App> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        authenticate(app, parts).await.map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        token(&headers).ok()
    }

    // protocol: 45
    #[test]
    fn a_token_is_taken_bare_as_bearer_and_as_a_password() {
        assert_eq!(parsed("sct_abc").as_deref(), Some("sct_abc"));
        assert_eq!(parsed("Bearer sct_abc").as_deref(), Some("sct_abc"));
        assert_eq!(parsed("bearer  sct_abc").as_deref(), Some("sct_abc"));
        for pair in ["ann:sct_abc", "sct_abc:", "sct_abc", ":sct_abc"] {
            assert_eq!(parsed(&format!("Basic {}", STANDARD.encode(pair))).as_deref(), Some("sct_abc"), "{pair}");
        }
        for wrong in ["", "Bearer ", "a b", "Bearer a b", "Basic", "Basic !", "Basic Og==", "Basic /w=="] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
        assert!(token(&HeaderMap::new()).is_err());
    }
}
