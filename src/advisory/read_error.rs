//! Why a document is no advisory.

/// The largest document, in bytes.
pub const MAX_DOCUMENT: u64 = 256 * 1024;
/// The longest id, in bytes.
pub(super) const MAX_ID: usize = 100;
/// The most crates that one document is about.
pub(super) const MAX_CRATES: usize = 1000;
/// The most versions, and the most ranges, of a crate in one document.
pub(super) const MAX_PARTS: usize = 2000;

/// Why a document is no advisory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("it has {0} bytes: at most {MAX_DOCUMENT} are read")]
    TooLarge(u64),
    #[error("it is no JSON of an advisory: {0}")]
    Json(String),
    #[error("its TOML cannot be read: {0}")]
    Toml(String),
    #[error("it does not begin with ```toml, an end of that, and a title after `# `")]
    Parts,
    #[error("its id {0:?} has other characters than letters, digits, '-', '.', '_' and ':', or more than {MAX_ID}")]
    Id(String),
    #[error("it is about no crate of crates.io")]
    NoCrate,
    #[error("it is about more than {MAX_CRATES} crates")]
    TooManyCrates,
    #[error("it does not say which versions of {0} are affected")]
    NoVersions(String),
    #[error("{0:?} is no version: {1}")]
    Version(String, String),
    #[error("{0:?} is no range of versions: {1}")]
    Requirement(String, String),
    #[error("it names more than {MAX_PARTS} versions or ranges")]
    TooManyVersions,
    #[error("{0:?} is no date")]
    Date(String),
    #[error("it has the character U+0000")]
    Nul,
}
