//! The keys of issuers, as their discovery documents name them.
//!
//! Keys are kept for an hour. A token with an unknown key has them fetched again, at most once a minute for each issuer: an
//! issuer has new keys from time to time, and tokens come from everywhere. If an issuer cannot be reached, its keys are used for
//! up to twelve hours.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::{Host, Url};

use super::signatures::ALGORITHMS;
use crate::upstream::tls;

/// How long keys are kept.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How long they are used while the issuer cannot be reached.
const STALE: Duration = Duration::from_secs(12 * 60 * 60);
/// The shortest time between two attempts to fetch them.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(60);
/// For each of the two requests.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits while another one fetches the keys of the same issuer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many requests wait for that.
const MAX_WAITING: usize = 16;
/// The largest document, in bytes.
const MAX_DOCUMENT: u64 = 512 * 1024;

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("its key `{kid}` is not among the keys of {issuer}")]
    Unknown { issuer: String, kid: String },
    #[error("the keys of {issuer} cannot be read ({problem}): try again in a minute")]
    Unavailable { issuer: String, problem: String },
}

/// Why an issuer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot be an issuer: give a URL with https, or with http on this machine, without user, query and fragment, as the \
     claim `iss` has it"
)]
pub struct InvalidIssuer(pub String);

/// Checks the URL of an issuer. Over plain HTTP its keys could be replaced on the way.
pub fn check_issuer(text: &str) -> Result<(), InvalidIssuer> {
    let url = Url::parse(text).ok().filter(|url| is_safe(url) && url.query().is_none() && url.fragment().is_none());
    let is_plain = |url: &Url| url.username().is_empty() && url.password().is_none();
    match url {
        Some(url) if is_plain(&url) && text.len() <= 500 && text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
        _ => Err(InvalidIssuer(text.chars().take(500).collect())),
    }
}

fn is_safe(url: &Url) -> bool {
    let is_here = || match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_here(),
        _ => false,
    }
}

/// The keys of the issuers that an admin has accepted, and of no others. Cheap to clone.
#[derive(Clone)]
pub struct IssuerKeys {
    agent: ureq::Agent,
    /// For this machine, which no proxy stands before.
    direct: ureq::Agent,
    issuers: Arc<Mutex<HashMap<String, Arc<OfIssuer>>>>,
}

/// The keys of an issuer. Known ones are found while others are fetched.
#[derive(Default)]
struct OfIssuer {
    cached: Mutex<Cached>,
    fetching: Mutex<()>,
    waiting: AtomicUsize,
}

impl OfIssuer {
    /// Waits for the end of a fetch, unless many do: they occupy threads of other requests.
    fn wait(&self) -> Option<MutexGuard<'_, ()>> {
        let others = self.waiting.fetch_add(1, Ordering::SeqCst);
        let fetching = if others < MAX_WAITING { self.fetching.try_lock_for(PATIENCE) } else { None };
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        fetching
    }
}

#[derive(Default)]
struct Cached {
    /// Two keys of one id are both tried.
    keys: HashMap<String, Vec<DecodingKey>>,
    fetched: Option<Instant>,
    attempted: Option<Instant>,
    /// Of the last attempt.
    problem: Option<String>,
}

/// The keys of an issuer, each read for itself.
#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

/// A key for the signatures that are accepted, with its id.
fn usable(key: &Value) -> Option<(String, DecodingKey)> {
    let is_for_signatures = key["use"].as_str().is_none_or(|of| of == "sig")
        && key["key_ops"].as_array().is_none_or(|operations| operations.iter().any(|one| one == "verify"))
        && key["alg"].as_str().is_none_or(|name| ALGORITHMS.iter().any(|one| format!("{one:?}") == name));
    let kid = key["kid"].as_str().filter(|_| is_for_signatures)?;
    let mut plain = key.clone();
    // Certificates are not looked at, and may have any form.
    let fields = plain.as_object_mut()?;
    fields.retain(|name, _| ["kty", "n", "e", "crv", "x", "y"].contains(&name.as_str()));
    let jwk: Jwk = serde_json::from_value(plain).ok()?;
    Some((kid.to_owned(), DecodingKey::from_jwk(&jwk).ok()?))
}

/// What is read of a discovery document.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Default for IssuerKeys {
    fn default() -> Self {
        let agent = |through_proxy: bool| -> ureq::Agent {
            let config = ureq::Agent::config_builder()
                .tls_config(tls())
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(concat!("supercargo/", env!("CARGO_PKG_VERSION")))
                .timeout_global(Some(TIMEOUT));
            if through_proxy { config.build().into() } else { config.proxy(None).build().into() }
        };
        Self { agent: agent(true), direct: agent(false), issuers: Arc::default() }
    }
}

impl Cached {
    /// The keys with an id, if they are not older than this.
    fn known(&self, kid: &str, limit: Duration) -> Option<Vec<DecodingKey>> {
        self.keys.get(kid).filter(|_| is_within(self.fetched, limit)).cloned()
    }

    /// The answer without another attempt.
    fn answer(&self, issuer: &str, kid: &str) -> Result<Vec<DecodingKey>, KeyError> {
        self.known(kid, STALE).ok_or_else(|| match &self.problem {
            Some(problem) => KeyError::Unavailable { issuer: issuer.to_owned(), problem: problem.clone() },
            None => KeyError::Unknown { issuer: issuer.to_owned(), kid: kid.to_owned() },
        })
    }
}

fn is_within(instant: Option<Instant>, limit: Duration) -> bool {
    instant.is_some_and(|instant| instant.elapsed() < limit)
}

impl IssuerKeys {
    /// The keys of an issuer with this id. Blocks while they are fetched, once for all who ask.
    pub fn find(&self, issuer: &str, kid: &str) -> Result<Vec<DecodingKey>, KeyError> {
        let of_issuer = {
            let mut issuers = self.issuers.lock();
            Arc::clone(issuers.entry(issuer.to_owned()).or_default())
        };
        let settled = || {
            let cached = of_issuer.cached.lock();
            match cached.known(kid, FRESH) {
                Some(keys) => Some(Ok(keys)),
                None => is_within(cached.attempted, BETWEEN_ATTEMPTS).then(|| cached.answer(issuer, kid)),
            }
        };
        if let Some(answer) = settled() {
            return answer;
        }
        let Some(_fetching) = of_issuer.fetching.try_lock().or_else(|| of_issuer.wait()) else {
            let known = of_issuer.cached.lock().known(kid, STALE);
            let problem = "they are being read".to_owned();
            return known.ok_or_else(|| KeyError::Unavailable { issuer: issuer.to_owned(), problem });
        };
        // Another request may have fetched them.
        if let Some(answer) = settled() {
            return answer;
        }
        let fetched = self.fetch(issuer);
        let mut cached = of_issuer.cached.lock();
        cached.attempted = Some(Instant::now());
        match fetched {
            Ok(keys) => *cached = Cached { keys, fetched: cached.attempted, problem: None, ..*cached },
            Err(problem) => {
                tracing::warn!(issuer, problem, "the keys of an issuer cannot be read");
                cached.problem = Some(problem);
            }
        }
        cached.answer(issuer, kid)
    }

    fn fetch(&self, issuer: &str) -> Result<HashMap<String, Vec<DecodingKey>>, String> {
        let discovery: Discovery =
            self.document(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))?;
        if discovery.issuer != issuer {
            return Err(format!("its discovery document is about the issuer {:?}", discovery.issuer));
        }
        // An issuer elsewhere has no business with the servers of this machine.
        let is_allowed = |uri: &Url| is_safe(uri) && (uri.scheme() == "https" || issuer.starts_with("http://"));
        let uri = Url::parse(&discovery.jwks_uri).ok().filter(is_allowed);
        let uri = uri.ok_or_else(|| format!("its keys are at {:?}, and have to be at https", discovery.jwks_uri))?;
        let set: Keys = self.document(uri.as_str())?;
        let mut keys: HashMap<String, Vec<DecodingKey>> = HashMap::new();
        // A key of a kind that is not known here disturbs none of the others.
        for (kid, key) in set.keys.iter().filter_map(usable) {
            keys.entry(kid).or_default().push(key);
        }
        Ok(keys)
    }

    fn document<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        match self.status_and_document(url)? {
            (200, Some(document)) => Ok(document),
            (status, _) => Err(format!("{url} answered {status}")),
        }
    }

    /// The status at a URL and, if it is 200, the document.
    pub(super) fn status_and_document<T: DeserializeOwned>(&self, url: &str) -> Result<(u16, Option<T>), String> {
        let agent = if url.starts_with("http://") { &self.direct } else { &self.agent };
        let mut answer = agent.get(url).call().map_err(|error| match error {
            ureq::Error::Timeout(_) => format!("{url}: no answer within {} s", TIMEOUT.as_secs()),
            error => format!("{url}: {error}"),
        })?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Ok((status, None));
        }
        let mut content = Vec::new();
        let mut body = answer.body_mut().as_reader().take(MAX_DOCUMENT + 1);
        body.read_to_end(&mut content).map_err(|error| format!("{url}: {error}"))?;
        if content.len() as u64 > MAX_DOCUMENT {
            return Err(format!("{url} has more than {MAX_DOCUMENT} bytes"));
        }
        serde_json::from_slice(&content)
            .map(|document| (status, Some(document)))
            .map_err(|error| format!("{url}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_a_url_whose_answers_cannot_be_forged() {
        for valid in
            ["https://gitlab.com", "https://ghes.test/_services/token", "http://127.0.0.1:8080/x", "http://[::1]/"]
        {
            assert_eq!(check_issuer(valid), Ok(()), "{valid}");
        }
        for wrong in [
            "",
            "gitlab.com",
            "http://gitlab.com",
            "https://a@b.test",
            "https://b.test/?x",
            "https://b.test/#x",
            "https://",
            "file:///x",
            "https://b.test/ä",
            "http://127.0.0.1.test/",
        ] {
            assert_eq!(check_issuer(wrong), Err(InvalidIssuer(wrong.to_owned())), "{wrong}");
        }
    }
}
