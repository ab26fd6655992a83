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
use crate::database::access::tokens::Token;
use crate::database::access::users::{User, UserState};
use crate::web::measures::denials;
use crate::web::refusals::{RefusedToken, TokenProblem};
use crate::web::request_id::record_caller;
use crate::web::{ApiError, App, ClientAddress, RequestId};

/// The longest token that is looked up.
const MAX_TOKEN: usize = 1024;

/// The longest name of an authentication scheme that an error repeats.
const MAX_SCHEME: usize = 20;

/// How a token is sent.
const FORMS: &str = "send the token itself, alone or after `Bearer` or `Token`, or as the password of HTTP Basic";

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
        Err(refused) => Err(ApiError::refused_token(StatusCode::FORBIDDEN, refused, Vec::new())),
    }
}

/// Looks up a token: the caller, or why the token is refused.
pub(crate) async fn look_up(app: &App, parts: &Parts, token: String) -> Result<Result<Caller, RefusedToken>, ApiError> {
    let connection = parts.extensions.get::<ClientConnection>().cloned().unwrap_or_default();
    let address = parts.extensions.get::<ClientAddress>().and_then(|client| client.ip());
    let found = app.with_connection(move |connection| authentication::authenticate(connection, &token)).await?;
    Ok(match found {
        Authentication::Known(user, token) => {
            Drain::of(parts).raise();
            record_caller(&user, &token);
            Ok(Caller {
                user,
                token,
                address: address.map(|ip| ip.to_string()),
                request_id: parts.extensions.get::<RequestId>().map(ToString::to_string),
                connection,
                proven_at: None,
            })
        }
        Authentication::Unknown(sha256) => {
            Err(RefusedToken { problem: TokenProblem::Unknown, detail: unknown(app), known_as: Err(sha256) })
        }
        Authentication::Revoked(user, token) => {
            let detail = if token.trusted.is_some() { revoked_machine(&token) } else { unknown(app) };
            Err(refused(TokenProblem::Revoked, detail, user, token))
        }
        Authentication::Expired(user, token) => {
            let detail = expired(app, &token);
            Err(refused(TokenProblem::Expired, detail, user, token))
        }
        Authentication::Inactive(user, token) => {
            let state = user.state();
            let problem =
                if state == UserState::Removed { TokenProblem::UserRemoved } else { TokenProblem::UserDisabled };
            let detail = format!(
                "the token `{}` is not valid, because its user `{login}` is {}: the operator of this registry can undo \
                 that with `supercargo admin user enable {login}`",
                token.name,
                state.as_str(),
                login = user.login
            );
            Err(refused(problem, detail, user, token))
        }
    })
}

fn refused(problem: TokenProblem, detail: String, user: User, token: Token) -> RefusedToken {
    RefusedToken { problem, detail, known_as: Ok(Box::new((user, token))) }
}

fn unknown(app: &App) -> String {
    format!(
        "the token is unknown to this registry or was revoked: see {}/me for how to get one, and run `cargo login` with it",
        app.settings.base_url
    )
}

fn revoked_machine(token: &Token) -> String {
    format!("the token `{}` was revoked: request a new ID token, and exchange it", token.name)
}

fn expired(app: &App, token: &Token) -> String {
    if token.trusted.is_some() {
        let name = &token.name;
        return format!(
            "the token `{name}` has expired, 30 minutes after its exchange: request a new ID token, and exchange it"
        );
    }
    format!(
        "the token `{}` has expired{}: see {}/me for how to get another one, and run `cargo login` with it",
        token.name,
        token.expires_at.map(|end| format!(" on {}", end.format("%Y-%m-%d at %H:%M UTC"))).unwrap_or_default(),
        app.settings.base_url
    )
}

/// The challenge that cargo shows to its user and passes to credential providers.
pub(crate) fn cargo_challenge(app: &App) -> String {
    format!("Cargo login_url=\"{}/me\"", app.settings.base_url)
}

/// Why the headers of a request give no token.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum UnusableToken {
    #[error("the request has no token: run `cargo login` with one")]
    Missing,
    #[error("the Authorization header has the scheme `{0}`, which is not supported: {FORMS}")]
    Scheme(String),
    #[error("the Authorization header has no valid token: {FORMS}")]
    Malformed,
}

impl UnusableToken {
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => denials::NO_TOKEN,
            Self::Scheme(_) | Self::Malformed => denials::MALFORMED_TOKEN,
        }
    }
}

/// The token in the Authorization header. Cargo sends the bare token. `Bearer` and `Token` in front of it are accepted as
/// well, for other clients, and HTTP Basic with the token as the password, for git and browsers.
pub(crate) fn token(headers: &HeaderMap) -> Result<String, UnusableToken> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(UnusableToken::Missing);
    };
    let text = value.to_str().unwrap_or_default().trim();
    let (first, rest) = text.split_once([' ', '\t']).map_or((text, None), |(first, rest)| (first, Some(rest.trim())));
    let token = match (first.to_ascii_lowercase().as_str(), rest) {
        ("bearer" | "token", rest) => rest.unwrap_or_default().to_owned(),
        ("basic", rest) => rest.and_then(password).unwrap_or_default(),
        (_, None) => text.to_owned(),
        (_, Some(_)) if is_scheme(first) => {
            return Err(UnusableToken::Scheme(first.to_owned()));
        }
        (_, Some(_)) => String::new(),
    };
    if token.is_empty() || token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(UnusableToken::Malformed);
    }
    Ok(token)
}

/// Whether a word can be the name of a scheme, such as `Digest`. It is no part of a token: those have an underscore.
fn is_scheme(word: &str) -> bool {
    word.len() <= MAX_SCHEME
        && word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
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

/// Extracts the caller of a request that needs none: without a valid token there is none.
pub struct PerhapsAuthenticated(pub Option<Caller>);

impl FromRequestParts<App> for PerhapsAuthenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if let Some(caller) = parts.extensions.get::<Caller>() {
            return Ok(Self(Some(caller.clone())));
        }
        let Ok(token) = token(&parts.headers) else { return Ok(Self(None)) };
        Ok(Self(look_up(app, parts, token).await?.ok()))
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
    fn a_token_is_taken_bare_after_bearer_or_token_and_as_a_password() {
        for value in
            ["sct_abc", "Bearer sct_abc", "bearer  sct_abc", "Token sct_abc", "token\tsct_abc", "TOKEN sct_abc "]
        {
            assert_eq!(parsed(value).as_deref(), Some("sct_abc"), "{value:?}");
        }
        for pair in ["ann:sct_abc", "sct_abc:", "sct_abc", ":sct_abc"] {
            assert_eq!(parsed(&format!("Basic {}", STANDARD.encode(pair))).as_deref(), Some("sct_abc"), "{pair}");
        }
        for wrong in
            ["", "Bearer ", "Token", "a b", "Bearer a b", "Token a b", "Basic", "Basic !", "Basic Og==", "Basic /w=="]
        {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
        assert!(token(&HeaderMap::new()).is_err());
    }

    #[test]
    fn another_scheme_is_named_and_what_could_be_a_token_is_not() {
        let refused = |value: &str| {
            token(&HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])).unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused("Digest username=\"x\""), @"the Authorization header has the scheme `Digest`, which is not supported: send the token itself, alone or after `Bearer` or `Token`, or as the password of HTTP Basic");
        assert!(refused("AWS4-HMAC-SHA256 x").contains("`AWS4-HMAC-SHA256`"));
        for secret in
            ["sct_secret sct_secret", "sct_secret x", "Bearer sct_secret x", "secretsecretsecretsecret x", "secret:x y"]
        {
            assert!(!refused(secret).contains("secret"), "{secret}: {}", refused(secret));
        }
    }
}
