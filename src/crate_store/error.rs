//! Errors of the crate store. No text repeats a server's answer as a whole: it may contain the key that signed the
//! request.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use object_store::client::{HttpError, HttpErrorKind};

use crate::full_disk;

/// An error of the crate store.
#[derive(Debug, thiserror::Error)]
pub enum CrateStoreError {
    #[error("cannot create the crate store {}: {source}", path.display())]
    SetUp { path: PathBuf, source: io::Error },
    /// The settings do not lead to a usable store.
    #[error("cannot use the crate store {store}: {reason}")]
    Settings { store: String, reason: String },
    /// A request failed. `what` names the file or list.
    #[error("cannot access {what} in the crate store: {failure}")]
    Failed { what: String, failure: Failure },
    /// Too many requests wait for the bucket already.
    #[error("the crate store does not answer: {waiting} requests are waiting for it already")]
    Busy { waiting: usize },
    /// A local store's disk has too little room for another file.
    #[error(
        "the disk of the crate store {} is nearly full, {available} bytes are free and {reserve} bytes are reserved for the \
         database and the index: free some space, or move the store with --crate-store", directory.display()
    )]
    Full { directory: PathBuf, available: u64, reserve: u64 },
    #[error("cannot start the runtime of the crate store: {0}")]
    Runtime(#[source] io::Error),
    /// [`CrateStore::copy`](super::CrateStore::copy) could not write to its destination.
    #[error("cannot write a copy of a crate file: {0}")]
    Destination(#[source] io::Error),
}

impl CrateStoreError {
    /// Whether a later attempt may succeed without a change of the settings.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Failed { failure, .. } => failure.is_outage(),
            Self::Busy { .. } | Self::Full { .. } => true,
            _ => false,
        }
    }
}

/// The reason of a failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server rejected the request.
    Rejected {
        status: u16,
        /// S3's name of the error, such as `NoSuchBucket`; answers to HEAD requests have none.
        code: Option<String>,
    },
    /// The server cannot be reached or has failed itself.
    Unavailable(String),
    /// There was no answer in time.
    TimedOut(Duration),
    /// Something else, in the library's words.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected { status, code: Some(code) } => write!(f, "HTTP status {status} {code}"),
            Self::Rejected { status, code: None } => write!(f, "HTTP status {status}"),
            Self::Unavailable(reason) => write!(f, "the server is unavailable: {reason}"),
            Self::TimedOut(limit) => write!(f, "no answer within {limit:?}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Failure {
    /// Classifies an error of the library and keeps only what may be shown.
    pub(super) fn of(error: &object_store::Error) -> Self {
        let text = error.to_string();
        if let Some(status) = between(&text, "status code: ", " ").and_then(|status| status.parse().ok()) {
            let code = between(&text, "<Code>", "</Code>").map(str::to_owned);
            return match status {
                500.. | 408 | 429 => Self::Unavailable(Self::Rejected { status, code }.to_string()),
                _ => Self::Rejected { status, code },
            };
        }
        match http_error(error) {
            Some(failed) if failed.kind() == HttpErrorKind::Decode => Self::Other(innermost(failed)),
            Some(failed) => Self::Unavailable(innermost(failed)),
            // Texts of the local file system name paths and system errors. The body of a server's answer is left out.
            None => Self::Other(text.split("<?xml").next().unwrap_or_default().trim_end().to_owned()),
        }
    }

    /// Whether a later attempt may succeed without a change of the settings.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::TimedOut(_) => true,
            Self::Other(text) => full_disk::is_named_in(text),
            Self::Rejected { .. } => false,
        }
    }
}

fn http_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a HttpError> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The innermost cause is the specific one: "connection refused", "invalid peer certificate".
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    Some(rest.split_once(end)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn an_error_shows_status_and_code_but_not_the_key_in_the_answer() {
        let body = "<?xml version=\"1.0\"?><Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>AKIA1</AWSAccessKeyId></Error>";
        let rejected = Failure::of(&generic(&format!("Server returned non-2xx status code: 403 Forbidden: {body}")));
        assert_eq!(rejected, Failure::Rejected { status: 403, code: Some("InvalidAccessKeyId".to_owned()) });
        assert_eq!(rejected.to_string(), "HTTP status 403 InvalidAccessKeyId");
        assert!(!Failure::of(&generic(&format!("odd: {body}"))).to_string().contains("AKIA1"));
    }

    #[test]
    fn a_failure_of_the_server_is_an_outage_and_a_rejection_is_not() {
        let of = |status: &str| Failure::of(&generic(&format!("Server returned non-2xx status code: {status}: ")));
        for status in ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"] {
            assert!(of(status).is_outage(), "{status}");
        }
        assert!(!of("403 Forbidden").is_outage());
        assert!(Failure::TimedOut(Duration::from_secs(1)).is_outage());
        assert!(Failure::Other("No space left on device (os error 28)".to_owned()).is_outage());
    }
}
