//! Sign-in at an identity provider: the authorization code flow with PKCE. Sources: OpenID Connect Core 1.0, sections 3.1 and
//! 5.3; RFC 7636; RFC 9207; RFC 9700.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use super::Claims;
use super::discovery::Discovery;
use super::id_token::{IdTokenError, LEEWAY, Unverified, text_of};
use super::keys::{IssuerKeys, KeyError};
use crate::config::IdentityProvider;
use crate::package::characters::plain;

/// How long a discovery document is used.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How long a provider that cannot be reached is not asked again.
const PAUSE: Duration = Duration::from_secs(10);
/// How long a sign-in waits while another one reads the discovery document.
const PATIENCE: Duration = Duration::from_secs(2);
/// Sign-ins that wait for a provider at the same time.
const MAX_FINISHING: usize = 12;
/// The longest texts of a provider that an error repeats, in characters.
const MAX_SHOWN: usize = 300;

/// Why a provider cannot sign somebody in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderError {
    #[error(
        "{title} cannot be used now, and the server log has the reason: try again in a minute, or sign in in another way. Sessions that \
         have begun go on"
    )]
    Unavailable { title: String },
    #[error("{title} refused the sign-in: {problem}")]
    Refused { title: String, problem: String },
    #[error(
        "{title} did not accept this registry ({problem}): an admin of the registry has to compare `client-id`, `client-secret-file` \
         and the redirect URI with what {title} has"
    )]
    Client { title: String, problem: String },
    #[error("the answer of {title} belongs to another sign-in: begin again")]
    Another { title: String },
    #[error("the answer of {title} cannot be used: {problem}")]
    Answer { title: String, problem: String },
    #[error(
        "{title} did not ask you to sign in again, so it is not certain that it is you: sign out there, and try once more"
    )]
    NotAgain { title: String },
}

/// What begins a sign-in and what ends it have in common. All of it is derived from a secret of the browser.
#[derive(Clone, Debug)]
pub struct Flow {
    pub state: String,
    pub nonce: String,
    /// Of PKCE: 43 to 128 characters.
    pub verifier: String,
    /// The URL that the provider leads back to.
    pub redirect_uri: String,
}

/// What a provider sends back with the browser.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub code: Option<String>,
    pub iss: Option<String>,
    pub error: Option<String>,
    pub error_description: Option<String>,
}

/// An identity provider. Cheap to clone.
#[derive(Clone)]
pub struct Provider {
    pub settings: Arc<IdentityProvider>,
    keys: IssuerKeys,
    discovery: Arc<Mutex<Discovered>>,
    reading: Arc<Mutex<()>>,
    /// Answers that are being finished.
    finishing: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Discovered {
    document: Option<(Instant, Discovery)>,
    failed: Option<Instant>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    id_token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
}

impl Provider {
    pub fn new(settings: IdentityProvider, keys: IssuerKeys) -> Self {
        Self {
            settings: Arc::new(settings),
            keys,
            discovery: Arc::default(),
            reading: Arc::default(),
            finishing: Arc::default(),
        }
    }

    fn title(&self) -> String {
        self.settings.title().to_owned()
    }

    /// What is wrong is for the log: the page is public, and the answer would say what is at which address.
    fn unavailable(&self, problem: &str) -> ProviderError {
        tracing::warn!(provider = self.settings.name, problem, "an identity provider cannot be used");
        ProviderError::Unavailable { title: self.title() }
    }

    fn unusable(&self, problem: impl Into<String>) -> ProviderError {
        ProviderError::Answer { title: self.title(), problem: problem.into() }
    }

    /// The discovery document, read once an hour. An older one is used while the provider cannot be reached.
    fn discovery(&self) -> Result<Discovery, ProviderError> {
        {
            let known = self.discovery.lock();
            match (&known.document, &known.failed) {
                (Some((at, document)), _) if at.elapsed() < FRESH => return Ok(document.clone()),
                (Some((_, document)), Some(at)) if at.elapsed() < PAUSE => return Ok(document.clone()),
                // The log has it already.
                (None, Some(at)) if at.elapsed() < PAUSE => {
                    return Err(ProviderError::Unavailable { title: self.title() });
                }
                _ => {}
            }
        }
        // One request reads it; the others have the one before, or wait for a while.
        let Some(_reading) = self.reading.try_lock_for(PATIENCE) else {
            let known = self.discovery.lock();
            let document = known.document.as_ref().map(|(_, document)| document.clone());
            return document.ok_or_else(|| self.unavailable("its discovery document is being read"));
        };
        if let Some((at, document)) = &self.discovery.lock().document
            && at.elapsed() < FRESH
        {
            return Ok(document.clone());
        }
        let read = Discovery::of(&self.keys.http, &self.settings.issuer);
        let mut known = self.discovery.lock();
        match read {
            Ok(document) => {
                *known = Discovered { document: Some((Instant::now(), document.clone())), failed: None };
                Ok(document)
            }
            Err(problem) => {
                known.failed = Some(Instant::now());
                let unavailable = self.unavailable(&problem);
                known.document.as_ref().map(|(_, document)| document.clone()).ok_or(unavailable)
            }
        }
    }

    /// The page of the provider that signs the user in; `again` asks for that even if the provider has a session of the user.
    pub fn authorization_url(&self, flow: &Flow, again: bool) -> Result<String, ProviderError> {
        let discovery = self.discovery()?;
        let endpoint = discovery.endpoint("authorization_endpoint", &discovery.authorization_endpoint);
        let mut url = endpoint.and_then(|text| Url::parse(text).map_err(|error| error.to_string()));
        let url = url.as_mut().map_err(|problem| self.unusable(problem.clone()))?;
        let scopes = ["openid"]
            .into_iter()
            .chain(self.settings.scopes.iter().map(String::as_str).filter(|one| *one != "openid"));
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(flow.verifier.as_bytes()));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &flow.redirect_uri)
            .append_pair("scope", &scopes.collect::<Vec<_>>().join(" "))
            .append_pair("state", &flow.state)
            .append_pair("nonce", &flow.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if again {
            url.query_pairs_mut().append_pair("prompt", "login").append_pair("max_age", "0");
        }
        Ok(url.to_string())
    }

    /// Exchanges the code that the provider has sent back, and returns the claims of the account: those of the ID token, and what
    /// the userinfo endpoint has besides. The user has to have signed in at the provider after `again_since`.
    pub fn finish(
        &self,
        flow: &Flow,
        again_since: Option<DateTime<Utc>>,
        answer: &Answer,
    ) -> Result<Claims, ProviderError> {
        let others = self.finishing.fetch_add(1, Ordering::SeqCst);
        // A slow provider must not take all threads from the others.
        let finished = if others < MAX_FINISHING {
            self.finish_now(flow, again_since, answer)
        } else {
            Err(self.unavailable("too many sign-ins wait for it"))
        };
        self.finishing.fetch_sub(1, Ordering::SeqCst);
        finished
    }

    fn finish_now(
        &self,
        flow: &Flow,
        again_since: Option<DateTime<Utc>>,
        answer: &Answer,
    ) -> Result<Claims, ProviderError> {
        let discovery = self.discovery()?;
        match &answer.iss {
            Some(issuer) if *issuer != self.settings.issuer => {
                return Err(ProviderError::Another { title: self.title() });
            }
            None if discovery.authorization_response_iss_parameter_supported => {
                return Err(ProviderError::Another { title: self.title() });
            }
            _ => {}
        }
        if let Some(error) = &answer.error {
            let problem = described(error, answer.error_description.as_deref());
            return Err(ProviderError::Refused { title: self.title(), problem });
        }
        let code = answer.code.as_deref().ok_or_else(|| self.unusable("it has neither a code nor an error"))?;
        let (id_token, access_token) = self.exchange(&discovery, flow, code)?;
        let claims = self.verify(flow, again_since, &id_token)?;
        self.with_userinfo(&discovery, claims, access_token.as_deref())
    }

    fn exchange(
        &self,
        discovery: &Discovery,
        flow: &Flow,
        code: &str,
    ) -> Result<(String, Option<String>), ProviderError> {
        let endpoint = discovery.endpoint("token_endpoint", &discovery.token_endpoint);
        let endpoint = endpoint.map_err(|problem| self.unusable(problem))?;
        let client_id = &*self.settings.client_id;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &flow.redirect_uri),
            ("code_verifier", &flow.verifier),
        ];
        let methods = discovery.token_endpoint_auth_methods_supported.as_deref();
        let takes_basic = methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
        let authorization = match &self.settings.client_secret {
            Some(secret) if takes_basic => Some(basic(client_id, secret)),
            Some(secret) => {
                form.extend([("client_id", client_id), ("client_secret", secret)]);
                None
            }
            None => {
                form.push(("client_id", client_id));
                None
            }
        };
        let sent = self.keys.http.send_form::<TokenAnswer>(endpoint, authorization.as_deref(), &form);
        let (status, answer) = sent.map_err(|problem| self.unavailable(&problem))?;
        if let Some(error) = answer.error {
            let problem = described(&error, answer.error_description.as_deref());
            tracing::warn!(provider = self.settings.name, status, problem, "an identity provider gave no ID token");
            return Err(match &*error {
                // The code was used, or is too old.
                "invalid_grant" => ProviderError::Another { title: self.title() },
                "invalid_client" | "unauthorized_client" => ProviderError::Client { title: self.title(), problem },
                _ => ProviderError::Refused { title: self.title(), problem },
            });
        }
        match answer.id_token {
            Some(id_token) => Ok((id_token, answer.access_token)),
            None => Err(self.unusable(format!("it has no ID token (status {status})"))),
        }
    }

    /// Source: OpenID Connect Core 1.0, section 3.1.3.7.
    fn verify(&self, flow: &Flow, again_since: Option<DateTime<Utc>>, id_token: &str) -> Result<Claims, ProviderError> {
        let invalid = |error: IdTokenError| match error {
            IdTokenError::Malformed(problem) => self.unusable(format!("its ID token cannot be read ({problem})")),
            IdTokenError::Audience { found, expected } => {
                self.unusable(format!("its ID token is for {found}, and not for the client `{expected}`"))
            }
            IdTokenError::Expired(now) => self.unusable(format!(
                "its ID token has expired: compare the clocks of provider and registry (the clock here is {now})"
            )),
            error => self.unusable(error.to_string()),
        };
        let unverified = Unverified::read(id_token).map_err(invalid)?;
        if unverified.issuer != self.settings.issuer {
            return Err(ProviderError::Another { title: self.title() });
        }
        let keys = self.keys.find(&self.settings.issuer, &unverified.kid).map_err(|error| match error {
            KeyError::Unknown { .. } => self.unusable(error.to_string()),
            KeyError::Unavailable { problem, .. } => self.unavailable(&problem),
        })?;
        let claims = unverified.verify(&keys, &self.settings.client_id).map_err(invalid)?;
        let parties = claims.get("aud").and_then(Value::as_array).map_or(1, Vec::len);
        match claims.get("azp").map(|azp| azp.as_str()) {
            Some(azp) if azp != Some(&*self.settings.client_id) => {
                return Err(self.unusable("the ID token was issued to another client"));
            }
            None if parties > 1 => {
                return Err(
                    self.unusable("the ID token is for several clients, and does not say to which it was issued")
                );
            }
            _ => {}
        }
        let nonce = text_of(&claims, "nonce").unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(flow.nonce.as_bytes())) {
            return Err(ProviderError::Another { title: self.title() });
        }
        if let Some(since) = again_since {
            let signed_in = claims.get("auth_time").and_then(Value::as_i64).unwrap_or_default();
            let latest = Utc::now().timestamp() + LEEWAY.cast_signed();
            if !(since.timestamp() - LEEWAY.cast_signed()..=latest).contains(&signed_in) {
                return Err(ProviderError::NotAgain { title: self.title() });
            }
        }
        Ok(claims)
    }

    /// Some providers name groups, or everything but the subject, only here.
    fn with_userinfo(
        &self,
        discovery: &Discovery,
        claims: Claims,
        access_token: Option<&str>,
    ) -> Result<Claims, ProviderError> {
        let (Some(endpoint), Some(token)) = (&discovery.userinfo_endpoint, access_token) else { return Ok(claims) };
        let endpoint = discovery.endpoint("userinfo_endpoint", endpoint).map_err(|problem| self.unusable(problem))?;
        let asked = self.keys.http.status_and_document::<Claims>(endpoint, Some(token));
        let mut merged = match asked.map_err(|problem| self.unavailable(&problem))? {
            (200, Some(more)) => more,
            (status, _) => return Err(self.unavailable(&format!("{endpoint} answered {status}"))),
        };
        // Without this check, the answer could be about somebody else.
        if merged.get("sub") != claims.get("sub") {
            return Err(ProviderError::Another { title: self.title() });
        }
        // What is signed wins.
        merged.extend(claims);
        Ok(merged)
    }
}

/// What is encoded. Some providers do not decode what they get, so nothing is that need not be.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Source: RFC 6749, section 2.3.1.
fn basic(client_id: &str, secret: &str) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret))))
}

fn described(error: &str, description: Option<&str>) -> String {
    let text = description.map_or_else(|| format!("`{error}`"), |description| format!("`{error}`, {description}"));
    plain(&text).chars().take(MAX_SHOWN).collect()
}
