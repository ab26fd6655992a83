//! What is wrong with a bundle, or with the place for one.

use std::io;
use std::path::{Path, PathBuf};

/// Why a bundle is not written, or not taken in.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("{} is not empty: name a directory that does not exist", .0.display())]
    NotEmpty(PathBuf),
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is no bundle: it has no {file}", .directory.display())]
    NoBundle { directory: PathBuf, file: &'static str },
    #[error("{} cannot be read: {problem}", .path.display())]
    Description { path: PathBuf, problem: String },
    #[error("the bundle has the format {0}, and the newest one that is known here is {1}: use a newer supercargo")]
    Format(u32, u32),
    #[error("SHA256SUMS, line {line}: {problem}")]
    Sums { line: usize, problem: String },
    #[error("the bundle is incomplete: {0} is in SHA256SUMS and not there. Copy it again")]
    Missing(String),
    #[error("{0} is not in SHA256SUMS, so it is no part of the bundle: remove it, or copy the bundle again")]
    Extra(String),
    #[error("{0} is no file: a bundle has only files and directories")]
    NoFile(String),
    #[error("{path} is damaged: its SHA-256 is {found}, and SHA256SUMS says {expected}. Copy the bundle again")]
    Damaged { path: String, found: String, expected: String },
    #[error("{path} is no index file: {problem}")]
    Index { path: String, problem: String },
    #[error("{path} has the SHA-256 {found}, and the index line of {version} says {expected}")]
    Contradiction { path: String, version: String, found: String, expected: String },
    #[error("{0} has no line in the index of the bundle")]
    NoLine(String),
    #[error("the index of the bundle has {version}, but there is no {path}")]
    NoCrate { path: String, version: String },
}

/// Names the file in an error of the system.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> BundleError {
    move |source| BundleError::Io { path: path.to_owned(), source }
}
