//! What can go wrong with the crate store, said without anything that must not be said: a store's answer may repeat the
//! key that signed the request.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use object_store::client::{HttpError, HttpErrorKind};

/// Why the crate store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum CrateStoreError {
    /// The directory can't be made.
    #[error("the crate store {path:?} can't be set up: {source}")]
    SetUp { path: PathBuf, source: io::Error },
    /// The store can't be used as it was described.
    #[error("the crate store {store} can't be used: {reason}")]
    Settings { store: String, reason: String },
    /// `what` names the file, or what was being done.
    #[error("the crate store failed for {what}: {failure}")]
    Failed { what: String, failure: Failure },
    /// Too many requests wait for the store already.
    #[error("the crate store does not answer: {waiting} requests wait for it")]
    Busy { waiting: usize },
    /// A local store's disk has too little room for another file.
    #[error(
        "the disk of the crate store {} is nearly full: {available} bytes are left, and {reserve} of them are kept for the \
         database and the index; make room, or move the store with --crate-store", directory.display()
    )]
    Full { directory: PathBuf, available: u64, reserve: u64 },
    #[error("no runtime for the crate store: {0}")]
    Runtime(#[source] io::Error),
    /// The content could not be taken where it was to go.
    #[error("a crate file can't be written: {0}")]
    Destination(#[source] io::Error),
}

/// How a store failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It answered that it will not.
    Refused {
        /// The status of the answer.
        status: u16,
        /// S3's name of the error, such as `NoSuchBucket`; a HEAD request is answered without.
        code: Option<String>,
    },
    /// It can't be reached, or failed at its own side: later it may do.
    Away(String),
    /// It did not answer in time.
    Late(Duration),
    /// Something else, in the words of the library.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, code: Some(code) } => write!(f, "it answered {status} {code}"),
            Self::Refused { status, code: None } => write!(f, "it answered {status}"),
            Self::Away(reason) => write!(f, "it can't be reached: {reason}"),
            Self::Late(limit) => write!(f, "it gave no answer within {limit:?}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Failure {
    /// Sorts an error of the library, and keeps only what may be shown.
    pub(super) fn of(error: &object_store::Error) -> Self {
        let text = error.to_string();
        if let Some(status) = between(&text, "status code: ", " ").and_then(|status| status.parse().ok()) {
            let code = between(&text, "<Code>", "</Code>").map(str::to_owned);
            return match status {
                500.. | 408 | 429 => Self::Away(Self::Refused { status, code }.to_string()),
                _ => Self::Refused { status, code },
            };
        }
        match http_error(error) {
            Some(failed) if failed.kind() == HttpErrorKind::Decode => Self::Other(innermost(failed)),
            Some(failed) => Self::Away(innermost(failed)),
            // The local file system names paths and system errors; anything else of a store's answer is left out.
            None => Self::Other(text.split("<?xml").next().unwrap_or_default().trim_end().to_owned()),
        }
    }

    /// Whether waiting may help, in contrast to other settings.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Late(_))
    }
}

fn http_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a HttpError> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The last cause is the one that tells: "connection refused", "invalid peer certificate".
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
    fn an_answer_is_told_by_its_status_and_code_and_never_by_the_key_in_it() {
        let body = "<?xml version=\"1.0\"?><Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>AKIA1</AWSAccessKeyId></Error>";
        let refused = Failure::of(&generic(&format!("Server returned non-2xx status code: 403 Forbidden: {body}")));
        assert_eq!(refused, Failure::Refused { status: 403, code: Some("InvalidAccessKeyId".to_owned()) });
        assert_eq!(refused.to_string(), "it answered 403 InvalidAccessKeyId");
        assert!(!Failure::of(&generic(&format!("odd: {body}"))).to_string().contains("AKIA1"));
    }

    #[test]
    fn a_failure_of_the_stores_own_is_an_outage_and_a_refusal_is_none() {
        let of = |status: &str| Failure::of(&generic(&format!("Server returned non-2xx status code: {status}: ")));
        for status in ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"] {
            assert!(of(status).is_outage(), "{status}");
        }
        assert!(!of("403 Forbidden").is_outage());
        assert!(Failure::Late(Duration::from_secs(1)).is_outage());
    }
}
