//! Another registry, over HTTP: what its index and its downloads hold.
//!
//! It is asked politely. An answer that says "later" (429, 503) is waited for as long as it says, up to a minute; what fails
//! for a reason that may pass is tried again, a few times, after longer and longer pauses.

use std::time::Duration;

use bytes::Bytes;
use ureq::config::RedirectAuthHeaders;
use ureq::http::StatusCode;
use ureq::http::header::{AUTHORIZATION, RETRY_AFTER};

use crate::package::registry_urls::is_readable_on_the_way;
use crate::package::{Checksum, CrateName, Version};
use crate::redact;

/// How often one thing is asked for.
const TRIES: u32 = 5;
/// The first pause; each one is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause, also when the other side asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often somebody who waits is asked whether to stop.
const SLICE: Duration = Duration::from_millis(100);

/// A token of another registry.
#[derive(Clone)]
pub struct Token {
    secret: String,
    /// It may be sent over plain HTTP to other machines.
    allow_insecure: bool,
}

impl Token {
    pub fn new(secret: String, allow_insecure: bool) -> Self {
        Self { secret, allow_insecure }
    }

    /// Whether the token may be sent to a URL.
    pub fn check(&self, url: &str) -> Result<(), UpstreamError> {
        if is_readable_on_the_way(url) && !self.allow_insecure {
            return Err(UpstreamError::Insecure { url: redact::userinfo(url) });
        }
        Ok(())
    }
}

/// Somebody to ask. Cheap to clone.
#[derive(Clone)]
pub struct Upstream {
    agent: ureq::Agent,
    token: Option<Token>,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("{url} answered {status}")]
    Status { url: String, status: u16 },
    #[error("{url} can't be reached: {problem}")]
    Unreachable { url: String, problem: String },
    #[error(
        "the token is not sent to {url}, because plain HTTP can be read on the way: use https, or allow it with \
         --allow-insecure-token"
    )]
    Insecure { url: String },
    #[error("{url} has more than {limit} bytes")]
    TooLarge { url: String, limit: u64 },
    #[error("it was stopped")]
    Stopped,
}

impl Upstream {
    /// Without a token.
    pub fn anonymous() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("supercargo/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(Duration::from_secs(300)))
            // A token is for the host that was named, and not for where that points to.
            .redirect_auth_headers(RedirectAuthHeaders::Never)
            .build();
        Self { agent: config.into(), token: None }
    }

    /// With a token that is sent with every request, but not along with a redirect.
    pub fn with_token(&self, token: Token) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    /// What is there, of at most `limit` bytes; None if nothing is (404, 410, 451).
    pub fn fetch(&self, url: &str, limit: u64, stopped: &dyn Fn() -> bool) -> Result<Option<Bytes>, UpstreamError> {
        let mut pause = PAUSE;
        for last in (1..=TRIES).map(|number| number == TRIES) {
            if stopped() {
                return Err(UpstreamError::Stopped);
            }
            let (error, asked) = match self.try_once(url, limit) {
                Ok(answer) => return Ok(answer),
                Err(Failure::ForGood(error)) => return Err(error),
                Err(Failure::ForNow(error, asked)) => (error, asked),
            };
            if last {
                return Err(error);
            }
            let wait = asked.unwrap_or(pause).min(LONGEST_PAUSE).mul_f64(rand::random_range(1.0..1.2));
            tracing::debug!(url = redact::userinfo(url), %error, "asked again in {wait:?}");
            sleep(wait, stopped);
            pause *= 2;
        }
        Err(UpstreamError::Stopped)
    }

    fn try_once(&self, url: &str, limit: u64) -> Result<Option<Bytes>, Failure> {
        let mut request = self.agent.get(url);
        if let Some(token) = &self.token {
            token.check(url).map_err(Failure::ForGood)?;
            request = request.header(AUTHORIZATION, &token.secret);
        }
        let unreachable = |error: ureq::Error| {
            let url = redact::userinfo(url);
            match error {
                ureq::Error::BodyExceedsLimit(limit) => Failure::ForGood(UpstreamError::TooLarge { url, limit }),
                error @ (ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_)) => {
                    Failure::ForGood(UpstreamError::Unreachable { url, problem: error.to_string() })
                }
                error => Failure::ForNow(UpstreamError::Unreachable { url, problem: error.to_string() }, None),
            }
        };
        let mut answer = request.call().map_err(unreachable)?;
        let status = answer.status();
        let failed = UpstreamError::Status { url: redact::userinfo(url), status: status.as_u16() };
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => return Ok(None),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                return Err(Failure::ForNow(failed, retry_after(&answer)));
            }
            _ if status.is_server_error() => return Err(Failure::ForNow(failed, retry_after(&answer))),
            _ => return Err(Failure::ForGood(failed)),
        }
        let body = answer.body_mut().with_config().limit(limit).read_to_vec().map_err(unreachable)?;
        Ok(Some(body.into()))
    }
}

enum Failure {
    ForGood(UpstreamError),
    /// Perhaps with the time after which the other side wants to be asked again.
    ForNow(UpstreamError, Option<Duration>),
}

/// Seconds; the form with a date is rare and counts as none.
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

/// Where a registry has the file of a version, by the template of its config.json. A template without any marker is the
/// beginning of the usual path (the Cargo book, "Registry index", `dl`).
pub fn download_url(template: &str, name: &CrateName, version: &Version, checksum: Checksum) -> String {
    const MARKERS: [&str; 5] = ["{crate}", "{version}", "{prefix}", "{lowerprefix}", "{sha256-checksum}"];
    let prefix = prefix(name.as_str());
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

fn prefix(name: &str) -> String {
    match name.len() {
        1 => "1".to_owned(),
        2 => "2".to_owned(),
        3 => format!("3/{}", &name[..1]),
        _ => format!("{}/{}", &name[..2], &name[2..4]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_url_without_the_password() {
        let Err(Failure::ForNow(error, _)) = Upstream::anonymous().try_once("http://me:secret@127.0.0.1:1/i", 1) else {
            panic!("nothing listens there");
        };
        assert!(error.to_string().starts_with("http://127.0.0.1:1/i "), "{error}");
        let token = Token::new("token".to_owned(), false);
        let refused = token.check("http://me:secret@host/i").unwrap_err().to_string();
        assert!(!refused.contains("secret"), "{refused}");
    }

    #[test]
    fn a_download_is_where_cargo_would_look_for_it() {
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
