//! The keys of issuers, as their discovery documents name them.
//!
//! Keys are kept for an hour. A token with an unknown key has them fetched again, at most once a minute for each issuer: an
//! issuer has new keys from time to time, and tokens come from everywhere. If an issuer cannot be reached, its keys are used for
//! up to twelve hours.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use serde_json::Value;

use super::discovery::Discovery;
use super::http::Http;
use super::signatures::ALGORITHMS;

/// How long keys are kept.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How long they are used while the issuer cannot be reached.
const STALE: Duration = Duration::from_secs(12 * 60 * 60);
/// The shortest time between two attempts to fetch them.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(60);
/// How long a request waits while another one fetches the keys of the same issuer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many requests wait for that.
const MAX_WAITING: usize = 16;

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("its key `{kid}` is not among the keys of {issuer}")]
    Unknown { issuer: String, kid: String },
    #[error("the keys of {issuer} cannot be read ({problem}): try again in a minute")]
    Unavailable { issuer: String, problem: String },
}

/// The keys of the issuers that an admin has accepted, and of no others. Cheap to clone.
#[derive(Clone, Default)]
pub struct IssuerKeys {
    pub(super) http: Http,
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
        let discovery = Discovery::of(&self.http, issuer)?;
        let uri = discovery.endpoint("jwks_uri", &discovery.jwks_uri)?;
        let set: Keys = self.http.document(uri)?;
        let mut keys: HashMap<String, Vec<DecodingKey>> = HashMap::new();
        // A key of a kind that is not known here disturbs none of the others.
        for (kid, key) in set.keys.iter().filter_map(usable) {
            keys.entry(kid).or_default().push(key);
        }
        Ok(keys)
    }
}
