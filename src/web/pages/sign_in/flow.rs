//! A sign-in at an identity provider, from its beginning to its end. It is in a cookie of the browser, whose secret seals it: the
//! provider sends the seal back, so an answer that belongs to another browser, or to another sign-in, is refused. One that is for the
//! user of a session is noted with the session as well: the browser's part of it could be made by somebody who has stolen the session.

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::database::access::sessions::SessionSecret;
use crate::oidc::provider;
use crate::web::ApiError;
use crate::web::pages::cookies;
use crate::web::pages::links::Links;
use crate::web::pages::visit::same;

/// How long it may take.
pub const LONGEST: TimeDelta = TimeDelta::minutes(30);

/// How much slower the clock of another process may be.
const FAST_CLOCK: TimeDelta = TimeDelta::minutes(1);

/// What the beginning gives: the cookie, its value, and what the provider gets.
pub struct Kept {
    pub cookie: HeaderValue,
    pub value: String,
    pub flow: provider::Flow,
}

/// What is done when the provider has said who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    SignIn,
    /// The account is given to the user of a link, whose secret this is.
    Link(String),
    /// The user of the session proves to be that user.
    Again,
    /// The account is given to the user of the session.
    Connect,
}

/// A sign-in that has begun.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Begun {
    pub provider: String,
    pub purpose: Purpose,
    /// The path that it leads to.
    pub to: String,
    at: DateTime<Utc>,
}

impl Purpose {
    /// Whether it is for the user of a session.
    pub fn is_of_session(&self) -> bool {
        matches!(self, Self::Again | Self::Connect)
    }
}

impl Begun {
    pub fn new(provider: &str, purpose: Purpose, to: &str) -> Self {
        Self { provider: provider.to_owned(), purpose, to: to.to_owned(), at: Utc::now() }
    }

    /// The cookie that keeps it, and what the provider gets of it.
    pub fn keep(&self, links: &Links) -> Result<Kept, ApiError> {
        let secret = SessionSecret::random().map_err(ApiError::internal)?;
        let content = serde_json::to_vec(self).map_err(ApiError::internal)?;
        let content = URL_SAFE_NO_PAD.encode(content);
        let value = format!("{}.{content}", secret.reveal());
        let flow = self.flow(&secret, &content, links);
        // Its characters are those of base64 and hexadecimal digits.
        let cookie = cookies::keep_flow(links, &value, LONGEST.num_seconds());
        let cookie = cookie.ok_or_else(|| ApiError::internal("the cookie of a sign-in cannot be sent"))?;
        Ok(Kept { cookie, value, flow })
    }

    /// The sign-in of a browser, if the provider has sent its state back, with the value of its cookie.
    pub fn find(
        links: &Links,
        headers: &HeaderMap,
        (provider, state): (&str, &str),
    ) -> Option<(Self, provider::Flow, String)> {
        let value = cookies::flow(links, headers)?;
        let (secret, content) = value.split_once('.')?;
        let secret = SessionSecret::parse(secret)?;
        let begun: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(content).ok()?).ok()?;
        let flow = begun.flow(&secret, content, links);
        let age = Utc::now() - begun.at;
        let is_current = age < LONGEST && age > -FAST_CLOCK;
        (same(&flow.state, state) && begun.provider == provider && is_current).then_some((
            begun,
            flow,
            value.to_owned(),
        ))
    }

    fn flow(&self, secret: &SessionSecret, content: &str, links: &Links) -> provider::Flow {
        let sealed = |name: &str| secret.seal(&format!("{name} {content}"));
        provider::Flow {
            state: sealed("state"),
            nonce: sealed("nonce"),
            verifier: sealed("verifier"),
            redirect_uri: redirect_uri(links, &self.provider),
        }
    }
}

/// The URL that a provider leads back to, which it has to know.
pub fn redirect_uri(links: &Links, provider: &str) -> String {
    format!("{}/sign-in/from/{provider}", links.base_url())
}
