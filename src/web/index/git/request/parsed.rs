//! Parsed requests, and the reasons for which a request is refused.

use crate::web::index::git::packets::Unreadable;

/// A request to `git-upload-pack`.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// A flush packet alone: a client tries whether it may send a long request.
    Probe,
    /// The command `ls-refs`.
    References(LsRefs),
    /// A fetch of objects.
    Objects(Fetch),
}

/// The arguments of `ls-refs`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LsRefs {
    pub peel: bool,
    pub symrefs: bool,
    pub unborn: bool,
    /// The prefixes of the references to list; all references if there are none.
    pub prefixes: Vec<Vec<u8>>,
}

/// A fetch, which git answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The length of the request in the body, in bytes.
    pub length: u64,
    /// Whether the client names nothing that it has, so that git sends it everything.
    pub is_clone: bool,
    /// The key of the answer in the cache. `None` for an answer that is for this client only, because it depends on
    /// what the client has or because the request is unusual.
    pub cache_key: Option<CacheKey>,
}

/// Everything that the answer to a fetch depends on, except the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey {
    pub bytes: Vec<u8>,
    /// The commits that the client requests, in hexadecimal.
    pub wants: Vec<Vec<u8>>,
}

/// Why a request is refused.
#[derive(Debug)]
pub enum Refusal {
    /// It does not follow the protocol, or uses a part of it that was not advertised. The text says what is wrong.
    Invalid(String),
    /// It is valid, but has an option of git's client that this server does not support.
    Unsupported(String),
    /// It is longer than [`super::MAX_REQUEST`].
    TooLarge,
    /// It is not valid gzip.
    NotGzip,
}

impl From<Unreadable> for Refusal {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Malformed(problem) => Self::Invalid(problem),
            Unreadable::TooLong => Self::TooLarge,
            Unreadable::Source => Self::NotGzip,
        }
    }
}

/// Refuses an invalid request.
pub fn invalid<T>(problem: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(problem.into()))
}
