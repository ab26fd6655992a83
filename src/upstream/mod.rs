//! The HTTP client for another registry's index and downloads.
//!
//! It limits the load on the other registry. If an answer asks for a later request (429, 503), it waits as long as the
//! answer says, up to a minute. After a temporary failure it retries a few times with increasing pauses.

pub mod content_coding;
pub mod guarded;
pub mod smtp;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_rustls::rustls::crypto::ring;
use ureq::config::RedirectAuthHeaders;
use ureq::http::StatusCode;
use ureq::http::header::{AUTHORIZATION, CONTENT_ENCODING, RETRY_AFTER};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use content_coding::{Coding, DecodeError, codings, decode};

use crate::package::index_path::index_prefix;
use crate::package::registry_urls::is_readable_on_the_way;
use crate::package::{Checksum, CrateName, Version};
use crate::redact;

/// Attempts for one request.
const TRIES: u32 = 5;
/// The pause after the first attempt. It doubles after each further one.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause, even if an answer asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Pause between checks whether the caller has stopped the request.
const SLICE: Duration = Duration::from_millis(100);

/// A token of another registry.
#[derive(Clone)]
pub struct Token {
    secret: String,
    /// Whether it may be sent to other machines over plain HTTP.
    allow_insecure: bool,
}

impl Token {
    pub fn new(secret: String, allow_insecure: bool) -> Self {
        Self { secret, allow_insecure }
    }

    /// Checks that the token may be sent to a URL.
    pub fn check(&self, url: &str) -> Result<(), UpstreamError> {
        if is_readable_on_the_way(url) && !self.allow_insecure {
            return Err(UpstreamError::Insecure { url: redact::userinfo(url) });
        }
        Ok(())
    }
}

/// A client of another registry. Cheap to clone.
#[derive(Clone)]
pub struct Upstream {
    agent: ureq::Agent,
    token: Option<Token>,
}

/// An error of a request.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("{url} answered {status}")]
    Status { url: String, status: u16 },
    #[error("cannot reach {url}: {problem}")]
    Unreachable { url: String, problem: String },
    #[error(
        "the token is not sent to {url}, because plain HTTP is not encrypted: use https, or allow it with \
         --allow-insecure-token"
    )]
    Insecure { url: String },
    #[error("{url} is larger than the limit of {limit} bytes")]
    TooLarge { url: String, limit: u64 },
    #[error(
        "{url} is sent with the Content-Encoding {coding:?}, which supercargo cannot decode: let the server send it with \
         gzip, deflate, br or zstd, or with none"
    )]
    UnknownCoding { url: String, coding: String },
    #[error("{url} cannot be decoded as its Content-Encoding {coding:?} says: {problem}")]
    Undecodable { url: String, coding: String, problem: String },
    #[error("stopped")]
    Stopped,
}

/// TLS by rustls with ring and the system's certificate authorities.
pub fn tls() -> TlsConfig {
    tls_with(RootCerts::PlatformVerifier)
}

/// The same with other authorities.
pub fn tls_with(authorities: RootCerts) -> TlsConfig {
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(authorities)
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build()
}

impl Upstream {
    /// A client without a token.
    pub fn anonymous() -> Self {
        let config = ureq::Agent::config_builder()
            .tls_config(tls())
            .http_status_as_error(false)
            .user_agent(concat!("supercargo/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(Duration::from_secs(300)))
            // The token is for the named host, not for the target of a redirect.
            .redirect_auth_headers(RedirectAuthHeaders::Never)
            .build();
        Self { agent: config.into(), token: None }
    }

    /// A client that sends a token with every request, but not to the target of a redirect.
    pub fn with_token(&self, token: Token) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    /// The content at a URL, of at most `limit` bytes; `None` if there is none (404, 410, 451). It is not decoded, whatever
    /// its `Content-Encoding`.
    pub fn fetch(&self, url: &str, limit: u64, stopped: &dyn Fn() -> bool) -> Result<Option<Bytes>, UpstreamError> {
        Ok(self.try_often(url, limit, stopped)?.map(|answer| answer.body.into()))
    }

    /// The decoded content at a URL, of at most `limit` bytes before and after decoding.
    pub fn fetch_decoded(&self, url: &str, limit: u64) -> Result<Option<Vec<u8>>, UpstreamError> {
        let Some(Answer { body, coding }) = self.try_often(url, limit, &|| false)? else { return Ok(None) };
        let url = || redact::userinfo(url);
        let known: Vec<Coding> =
            codings(&coding).map_err(|coding| UpstreamError::UnknownCoding { url: url(), coding })?;
        let decoded = decode(body, &known, limit).map_err(|error| match error {
            DecodeError::TooLarge => UpstreamError::TooLarge { url: url(), limit },
            DecodeError::Unreadable(problem) => {
                UpstreamError::Undecodable { url: url(), coding, problem: problem.to_string() }
            }
        })?;
        Ok(Some(decoded))
    }

    fn try_often(&self, url: &str, limit: u64, stopped: &dyn Fn() -> bool) -> Result<Option<Answer>, UpstreamError> {
        let mut pause = PAUSE;
        for last in (1..=TRIES).map(|number| number == TRIES) {
            if stopped() {
                return Err(UpstreamError::Stopped);
            }
            let (error, requested) = match self.try_once(url, limit) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Permanent(error)) => return Err(error),
                Err(Failure::Temporary(error, requested)) => (error, requested),
            };
            if last {
                return Err(error);
            }
            let wait = requested.unwrap_or(pause).min(LONGEST_PAUSE).mul_f64(rand::random_range(1.0..1.2));
            tracing::debug!(url = redact::userinfo(url), %error, "retrying in {wait:?}");
            sleep(wait, stopped);
            pause *= 2;
        }
        Err(UpstreamError::Stopped)
    }

    fn try_once(&self, url: &str, limit: u64) -> Result<Option<Answer>, Failure> {
        let mut request = self.agent.get(url);
        if let Some(token) = &self.token {
            token.check(url).map_err(Failure::Permanent)?;
            request = request.header(AUTHORIZATION, &token.secret);
        }
        let unreachable = |error: ureq::Error| {
            let url = redact::userinfo(url);
            match error {
                ureq::Error::BodyExceedsLimit(limit) => Failure::Permanent(UpstreamError::TooLarge { url, limit }),
                error @ (ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_)) => {
                    Failure::Permanent(UpstreamError::Unreachable { url, problem: error.to_string() })
                }
                error => Failure::Temporary(UpstreamError::Unreachable { url, problem: error.to_string() }, None),
            }
        };
        let mut answer = request.call().map_err(unreachable)?;
        let status = answer.status();
        let failed = UpstreamError::Status { url: redact::userinfo(url), status: status.as_u16() };
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => return Ok(None),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                return Err(Failure::Temporary(failed, retry_after(&answer)));
            }
            _ if status.is_server_error() => return Err(Failure::Temporary(failed, retry_after(&answer))),
            _ => return Err(Failure::Permanent(failed)),
        }
        let codings = answer.headers().get_all(CONTENT_ENCODING).iter();
        let coding = codings.map(|value| value.to_str().unwrap_or("?")).collect::<Vec<_>>().join(", ");
        let body = answer.body_mut().with_config().limit(limit).read_to_vec().map_err(unreachable)?;
        Ok(Some(Answer { body, coding }))
    }
}

#[derive(Debug)]
struct Answer {
    body: Vec<u8>,
    /// The value of `Content-Encoding`.
    coding: String,
}

enum Failure {
    Permanent(UpstreamError),
    /// With the pause that the answer requested, if any.
    Temporary(UpstreamError, Option<Duration>),
}

/// The pause that an answer requests in seconds. The rare form with a date is ignored.
fn retry_after<B>(answer: &ureq::http::Response<B>) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn sleep(wait: Duration, stopped: &dyn Fn() -> bool) {
    let mut left = wait;
    while !left.is_zero() && !stopped() {
        std::thread::sleep(left.min(SLICE));
        left = left.saturating_sub(SLICE);
    }
}

/// The download URL of a version, from the `dl` template of config.json. A template without markers is the base of the
/// default path (the Cargo book, "Registry index", `dl`).
pub fn download_url(template: &str, name: &CrateName, version: &Version, checksum: Checksum) -> String {
    const MARKERS: [&str; 5] = ["{crate}", "{version}", "{prefix}", "{lowerprefix}", "{sha256-checksum}"];
    let prefix = index_prefix(name);
    let values = [
        name.to_string(),
        version.to_string().replace('+', "%2B"),
        prefix.clone(),
        prefix.to_ascii_lowercase(),
        checksum.to_string(),
    ];
    let template = if MARKERS.iter().any(|marker| template.contains(marker)) {
        template.to_owned()
    } else {
        format!("{}/{{crate}}/{{version}}/download", template.trim_end_matches('/'))
    };
    MARKERS.iter().zip(values).fold(template, |url, (marker, value)| url.replace(marker, &value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_url_without_the_password() {
        let Err(Failure::Temporary(error, _)) = Upstream::anonymous().try_once("http://me:secret@127.0.0.1:1/i", 1)
        else {
            panic!("nothing listens there");
        };
        assert!(error.to_string().contains(" http://127.0.0.1:1/i:"), "{error}");
        let token = Token::new("token".to_owned(), false);
        let refused = token.check("http://me:secret@host/i").unwrap_err().to_string();
        assert!(!refused.contains("secret"), "{refused}");
    }

    #[test]
    fn a_download_url_is_the_one_that_cargo_requests() {
        let url = |template: &str, name: &str| {
            download_url(template, &name.parse().unwrap(), &"1.0.0+b".parse().unwrap(), Checksum::of(b""))
        };
        assert_eq!(url("https://x/api/v1/crates", "Foo"), "https://x/api/v1/crates/Foo/1.0.0%2Bb/download");
        assert_eq!(
            url("https://x/{prefix}/{lowerprefix}/{crate}-{version}", "Cargo"),
            "https://x/Ca/rg/ca/rg/Cargo-1.0.0%2Bb"
        );
        assert_eq!(url("https://x/{prefix}/{crate}", "Foo"), "https://x/3/F/Foo");
        assert!(
            url("https://x/{sha256-checksum}", "ab")
                .ends_with("/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        );
    }
}
