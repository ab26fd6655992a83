//! Authentication by token.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::unread_body::Drain;
use crate::client_connection::ClientConnection;
use crate::database::access::authentication::{self, Authentication};
use crate::database::access::caller::Caller;
use crate::web::measures::denials;
use crate::web::{ApiError, App, ClientAddress, RequestId};

/// The longest token that is looked up.
const MAX_TOKEN: usize = 1024;

/// Authenticates the request by its token.
pub async fn authenticate(app: &App, parts: &Parts) -> Result<Caller, ApiError> {
    // A private registry has authenticated the request already.
    if let Some(caller) = parts.extensions.get::<Caller>() {
        return Ok(caller.clone());
    }
    let token = token(&parts.headers).map_err(|unusable| {
        let detail = format!("{unusable}. See {}/me for how to get one", app.settings.base_url);
        ApiError::unauthorized(detail, vec![cargo_challenge(app)]).because(unusable.reason())
    })?;
    match look_up(app, parts, token).await? {
        Ok(caller) => Ok(caller),
        Err(refused) => Err(ApiError::new(StatusCode::FORBIDDEN, refused.detail).because(refused.reason)),
    }
}

/// Why a token is refused: for the client, and for metrics.
pub(crate) struct RefusedToken {
    pub detail: String,
    pub reason: &'static str,
}

/// Looks up a token: the caller, or why the token is refused.
pub(crate) async fn look_up(app: &App, parts: &Parts, token: String) -> Result<Result<Caller, RefusedToken>, ApiError> {
    let connection = parts.extensions.get::<ClientConnection>().cloned().unwrap_or_default();
    let address = parts.extensions.get::<ClientAddress>().and_then(|client| client.ip());
    let found = app.with_connection(move |connection| authentication::authenticate(connection, &token)).await?;
    let base = &app.settings.base_url;
    Ok(match found {
        Authentication::Known(user, token) => {
            Drain::of(parts).raise();
            Ok(Caller {
                user,
                token,
                address: address.map(|ip| ip.to_string()),
                request_id: parts.extensions.get::<RequestId>().map(ToString::to_string),
                connection,
            })
        }
        Authentication::Unknown => Err(RefusedToken {
            detail: format!(
                "the token is unknown to this registry or was revoked: see {base}/me for how to get one, and run \
                 `cargo login` with it"
            ),
            reason: denials::UNKNOWN_TOKEN,
        }),
        Authentication::Expired(token) => Err(RefusedToken {
            detail: format!(
                "the token `{}` has expired{}: see {base}/me for how to get another one, and run `cargo login` with it",
                token.name,
                token.expires_at.map(|end| format!(" on {}", end.format("%Y-%m-%d at %H:%M UTC"))).unwrap_or_default()
            ),
            reason: denials::EXPIRED_TOKEN,
        }),
    })
}

/// The challenge that cargo shows to its user and passes to credential providers.
pub(crate) fn cargo_challenge(app: &App) -> String {
    format!("Cargo login_url=\"{}/me\"", app.settings.base_url)
}

/// Why the headers of a request give no token.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(crate) enum UnusableToken {
    #[error("the request has no token: run `cargo login` with one")]
    Missing,
    #[error(
        "the Authorization header has no valid token: send the token itself, with or without the prefix `Bearer`, or as \
         the password of HTTP Basic"
    )]
    Malformed,
}

impl UnusableToken {
    pub fn reason(self) -> &'static str {
        match self {
            Self::Missing => denials::NO_TOKEN,
            Self::Malformed => denials::MALFORMED_TOKEN,
        }
    }
}

/// The token in the Authorization header. Cargo sends the bare token. A `Bearer` prefix is accepted as well, and HTTP Basic
/// with the token as the password, for git and browsers.
pub(crate) fn token(headers: &HeaderMap) -> Result<String, UnusableToken> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(UnusableToken::Missing);
    };
    let text = value.to_str().unwrap_or_default().trim();
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim().to_owned(),
        Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => password(pair.trim()).unwrap_or_default(),
        None if text.eq_ignore_ascii_case("bearer") || text.eq_ignore_ascii_case("basic") => String::new(),
        _ => text.to_owned(),
    };
    if token.is_empty() || token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(UnusableToken::Malformed);
    }
    Ok(token)
}

/// The password, or the user name if the password is empty.
fn password(pair: &str) -> Option<String> {
    let decoded = STANDARD.decode(pair).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    Some(if password.is_empty() { user } else { password }.to_owned())
}

/// Extracts the authenticated caller of a request.
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
