//! Requests to one upstream: few at a time, with a pause when it asks for one or fails.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, RETRY_AFTER,
};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio_rustls::rustls::crypto::ring;

use super::outages::Outages;
use crate::upstream::content_coding::{DecodeError, codings, decode};
use crate::upstream::{Token, UpstreamError};

/// Requests to an upstream at the same time: half of them for its index, half for crate files.
const AT_ONCE: usize = 32;
/// Time limits: for the connection, between two pieces of an answer, and for a whole index file.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(20);
const INDEX_FILE: Duration = Duration::from_secs(60);
/// The largest index file, in bytes, before and after decoding.
const MAX_INDEX_FILE: u64 = 64 * 1024 * 1024;
const REDIRECTS: usize = 5;
/// The pause after a failure. It doubles after each further one, up to the longest, which is also that of a `Retry-After`.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A file of the index, as the upstream answers.
#[derive(Debug)]
pub enum Answer {
    Sent { content: Bytes, etag: Option<String>, last_modified: Option<String> },
    NotModified,
    Absent,
}

/// Why an upstream has not answered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    #[error("cannot reach {url}: {problem}")]
    Unreachable { url: String, problem: String },
    #[error("{url} answered {status}")]
    Status { url: String, status: u16 },
    #[error("{url} is larger than {limit} bytes")]
    TooLarge { url: String, limit: u64 },
    #[error("{url} cannot be decoded: {problem}")]
    Undecodable { url: String, problem: String },
    #[error("{0}")]
    Token(String),
    #[error("this registry does not ask upstreams (--upstream-offline)")]
    Offline,
    #[error("the upstream failed a moment ago ({0}), and is asked again in {1} s")]
    Pausing(String, u64),
}

impl FetchError {
    /// Whether nothing was asked.
    pub fn is_of_nothing_asked(&self) -> bool {
        matches!(self, Self::Offline | Self::Pausing(..))
    }

    /// Whether the upstream, or the way to it, is in trouble, and not this one file.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            Self::TooLarge { .. } | Self::Undecodable { .. } | Self::Token(_) | Self::Offline | Self::Pausing(..) => {
                false
            }
        }
    }
}

/// Until when nothing is requested, and why.
#[derive(Default)]
struct Pause {
    until: Option<Instant>,
    failures: u32,
    reason: String,
}

/// A client of one upstream.
pub struct Client {
    http: reqwest::Client,
    token: Option<(HeaderValue, Token)>,
    /// Slow crate files must not keep the index waiting.
    index_permits: Semaphore,
    crate_permits: Semaphore,
    pause: Mutex<Pause>,
    pub outages: Outages,
    pace: Mutex<Option<Pace>>,
    is_offline: bool,
}

/// The time between two requests, and when the next one may begin.
struct Pace {
    interval: Duration,
    next: Instant,
}

/// Builds the HTTP client that all upstreams share.
pub fn http(contact: &str) -> Result<reqwest::Client, String> {
    // Fails if another part of the process has installed a provider, which is fine.
    let _ = ring::default_provider().install_default();
    let policy = Policy::custom(|attempt| {
        let is_downgrade =
            attempt.url().scheme() != "https" && attempt.previous().last().is_some_and(|from| from.scheme() == "https");
        if is_downgrade {
            attempt.error("it redirects from https to http")
        } else if attempt.previous().len() > REDIRECTS {
            attempt.error("it redirects too often")
        } else {
            attempt.follow()
        }
    });
    let client = reqwest::Client::builder()
        .user_agent(format!("supercargo/{} ({contact})", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .redirect(policy)
        .referer(false);
    client.build().map_err(|error| describe(&error))
}

impl Client {
    pub fn new(http: reqwest::Client, token: Option<(HeaderValue, Token)>, outages: Outages, is_offline: bool) -> Self {
        Self {
            http,
            token,
            index_permits: Semaphore::new(AT_ONCE / 2),
            crate_permits: Semaphore::new(AT_ONCE / 2),
            pause: Mutex::default(),
            outages,
            pace: Mutex::default(),
            is_offline,
        }
    }

    /// Until when nothing is requested, if a pause is on.
    pub fn pausing_until(&self) -> Option<Instant> {
        let pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        pause.until.filter(|until| *until > Instant::now())
    }

    /// A file of the index, unless it is still the one with these validators.
    pub async fn index_file(
        &self,
        url: &str,
        (etag, last_modified): (Option<&str>, Option<&str>),
    ) -> Result<Answer, FetchError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let conditions = [(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, last_modified)];
        // With a tag the date says nothing more.
        let condition = conditions.into_iter().find_map(|(name, value)| Some((name, value?)));
        headers.extend(condition.and_then(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?))));
        // The upstream's time begins when it is asked.
        let _permit = self.permit(&self.index_permits, url).await?;
        let answered = tokio::time::timeout(INDEX_FILE, async {
            let response = self.send(url, headers, true).await?;
            self.read_index_file(url, response).await
        });
        let answered = answered.await.unwrap_or_else(|_| {
            let problem = format!("no whole answer in {INDEX_FILE:?}");
            Err(FetchError::Unreachable { url: url.to_owned(), problem })
        });
        self.note(answered)
    }

    /// The answer with a crate file, whose body is still to be read.
    pub async fn crate_file(
        &self,
        url: &str,
        needs_token: bool,
    ) -> Result<(Response, SemaphorePermit<'_>), FetchError> {
        let permit = self.permit(&self.crate_permits, url).await?;
        let answered =
            self.send(url, HeaderMap::new(), needs_token).await.and_then(|response| match response.status() {
                StatusCode::OK => Ok((response, permit)),
                status => Err(FetchError::Status { url: url.to_owned(), status: status.as_u16() }),
            });
        self.note(answered)
    }

    async fn permit<'a>(&self, permits: &'a Semaphore, url: &str) -> Result<SemaphorePermit<'a>, FetchError> {
        self.check_pause()?;
        let closed =
            |closed: AcquireError| FetchError::Unreachable { url: url.to_owned(), problem: closed.to_string() };
        permits.acquire().await.map_err(closed)
    }

    async fn send(&self, url: &str, mut headers: HeaderMap, with_token: bool) -> Result<Response, FetchError> {
        self.check_pause()?;
        if let Some((secret, token)) = self.token.as_ref().filter(|_| with_token) {
            token.check(url).map_err(|error: UpstreamError| FetchError::Token(error.to_string()))?;
            headers.insert(AUTHORIZATION, secret.clone());
        }
        let unreachable = |problem: String| FetchError::Unreachable { url: url.to_owned(), problem };
        self.keep_pace().await;
        let response = self.http.get(url).headers(headers).send().await;
        let response = response.map_err(|error| unreachable(describe(&error)))?;
        if let Some(wait) = retry_after(&response) {
            self.pause_for(wait, &format!("{url} answered {}", response.status().as_u16()));
        }
        Ok(response)
    }

    async fn read_index_file(&self, url: &str, mut response: Response) -> Result<Answer, FetchError> {
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED => return Ok(Answer::NotModified),
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => {
                return Ok(Answer::Absent);
            }
            status => return Err(FetchError::Status { url: url.to_owned(), status: status.as_u16() }),
        }
        let text =
            |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
        let (etag, last_modified, coding) =
            (text(ETAG), text(LAST_MODIFIED), text(CONTENT_ENCODING).unwrap_or_default());
        let mut body = BytesMut::new();
        let unreachable =
            |error: reqwest::Error| FetchError::Unreachable { url: url.to_owned(), problem: describe(&error) };
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            if (body.len() + piece.len()) as u64 > MAX_INDEX_FILE {
                return Err(FetchError::TooLarge { url: url.to_owned(), limit: MAX_INDEX_FILE });
            }
            body.extend_from_slice(&piece);
        }
        let undecodable = |problem: String| FetchError::Undecodable { url: url.to_owned(), problem };
        let known = codings(&coding).map_err(|coding| undecodable(format!("its Content-Encoding is {coding:?}")))?;
        let content = decode(body.into(), &known, MAX_INDEX_FILE).map_err(|error| match error {
            DecodeError::TooLarge => FetchError::TooLarge { url: url.to_owned(), limit: MAX_INDEX_FILE },
            DecodeError::Unreadable(error) => undecodable(error.to_string()),
        })?;
        Ok(Answer::Sent { content: content.into(), etag, last_modified })
    }

    /// Whether nothing would be asked at this moment.
    pub fn asks_nothing(&self) -> bool {
        self.check_pause().is_err()
    }

    /// Begins at most so many requests a second from now on.
    pub fn set_rate(&self, per_second: f64) {
        let pace = Pace { interval: Duration::from_secs_f64(1.0 / per_second), next: Instant::now() };
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = Some(pace);
    }

    async fn keep_pace(&self) {
        let begin = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(pace) = pace.as_mut() else { return };
            let begin = pace.next.max(Instant::now());
            pace.next = begin + pace.interval;
            begin
        };
        tokio::time::sleep_until(begin.into()).await;
    }

    /// Whether it asks nothing.
    pub fn is_offline(&self) -> bool {
        self.is_offline
    }

    /// How long nothing is asked from now on.
    pub fn pause_left(&self) -> Option<Duration> {
        self.pausing_until().map(|until| until.saturating_duration_since(Instant::now()))
    }

    fn check_pause(&self) -> Result<(), FetchError> {
        if self.is_offline {
            return Err(FetchError::Offline);
        }
        let pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        let left = pause.until.and_then(|until| until.checked_duration_since(Instant::now()));
        // Whole seconds, rounded up.
        left.map_or(Ok(()), |left| Err(FetchError::Pausing(pause.reason.clone(), left.as_secs() + 1)))
    }

    fn pause_for(&self, wait: Duration, reason: &str) {
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + wait.min(LONGEST_PAUSE);
        pause.until = Some(pause.until.map_or(until, |earlier| earlier.max(until)));
        reason.clone_into(&mut pause.reason);
    }

    /// Lets a failing upstream have a rest, which grows.
    fn note<T>(&self, answered: Result<T, FetchError>) -> Result<T, FetchError> {
        match &answered {
            Err(error) if error.is_outage() => {
                self.outages.failed(&error.to_string());
                let failures = {
                    let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
                    pause.failures = pause.failures.saturating_add(1);
                    pause.failures
                };
                // A single failure may be that of one connection.
                if let Some(doublings) = failures.checked_sub(2) {
                    self.pause_for(PAUSE.saturating_mul(1 << doublings.min(6)), &error.to_string());
                }
            }
            Err(_) => {}
            Ok(_) => {
                self.outages.answered();
                self.pause.lock().unwrap_or_else(PoisonError::into_inner).failures = 0;
            }
        }
        answered
    }
}

/// The error with its causes, without the URL, which the caller names.
fn describe(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(found) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&found.to_string());
        cause = found.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

/// The pause that an answer asks for, in seconds. The rare form with a date is ignored.
fn retry_after(response: &Response) -> Option<Duration> {
    let asks = matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let seconds = response.headers().get(RETRY_AFTER).filter(|_| asks)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
