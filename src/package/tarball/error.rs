//! Why a `.crate` file is refused, and paths that it is warned about.

use std::fmt;
use std::io;

use super::super::excerpt::{Excerpt, Remark};
use super::super::limits::ByteSize;
use super::entry_path::PathProblem;

/// Why a `.crate` file is not a package.
#[derive(Debug, thiserror::Error)]
pub enum TarballError {
    /// It is not a gzipped tar archive, or is damaged.
    #[error("the .crate file is not a complete gzipped tar archive ({}): package it again", Remark(.0))]
    Unreadable(String),
    /// It decompresses to more than the limit.
    #[error("the .crate file unpacks to more than {}: leave files out with `exclude` in Cargo.toml", ByteSize(*.limit))]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// It has more entries than the limit.
    #[error("the .crate file has more than {limit} entries: leave files out with `exclude` in Cargo.toml")]
    TooManyEntries {
        /// The limit.
        limit: u64,
    },
    /// The total length of its paths is above the limit.
    #[error("the paths in the .crate file have more than {} together: leave files out with `exclude` in Cargo.toml", ByteSize(*.limit as u64))]
    PathsTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The archive has no end mark.
    #[error("the tar archive in the .crate file has no end mark, so it may have been cut off: package it again")]
    NoEnd,
    /// Something follows the end of the archive or of the gzip stream.
    #[error("the .crate file continues after the end of {part}: package it again")]
    Trailing {
        /// The part that has ended.
        part: &'static str,
    },
    /// A header or an extension record that readers of tar disagree about.
    #[error("the .crate file contains a tar record that is not accepted ({problem}): package it with cargo")]
    Extension {
        /// What is wrong with it.
        problem: String,
    },
    /// An entry is neither a file nor a directory.
    #[error("the .crate file contains {} as a {kind}: only files and directories can be published", Excerpt(.path))]
    Kind {
        /// The path of the entry.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// Some systems cannot unpack the path of an entry.
    #[error("the .crate file contains the path {}, which {problem}: rename it or leave it out with `exclude` in Cargo.toml", Excerpt(.path))]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: PathProblem,
    },
    /// An entry is outside the package's directory.
    #[error("the .crate file contains the path {}, but everything in it must lie under `{root}/`", Excerpt(.path))]
    Outside {
        /// The path.
        path: String,
        /// The package's directory: name and version.
        root: String,
    },
    /// Two entries cannot both be unpacked.
    #[error("the .crate file contains both {} and {}, which {problem}: remove one of them", Excerpt(.first), Excerpt(.second))]
    Clash {
        /// The entry that came first.
        first: String,
        /// The entry that came second.
        second: String,
        /// Why they cannot both be unpacked.
        problem: &'static str,
    },
    /// There is no manifest.
    #[error("the .crate file contains no `{root}/Cargo.toml`: add it in exactly this spelling")]
    NoManifest {
        /// The package's directory: name and version.
        root: String,
    },
    /// The manifest is too large.
    #[error("Cargo.toml in the package has {}, above the limit of {}: shorten it, or ask the registry's operator for a higher limit", ByteSize(*.size), ByteSize(*.limit))]
    ManifestTooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The manifest is not text.
    #[error("Cargo.toml in the package is not UTF-8: save it as UTF-8")]
    ManifestEncoding,
}

impl TarballError {
    /// Whether cargo cannot unpack such a package either, so that it cannot be built. A registry that it comes from may
    /// have it nevertheless.
    pub fn prevents_unpacking(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::Outside { .. } | Self::NoManifest { .. } => true,
            Self::Path { problem, .. } => *problem == PathProblem::Component,
            Self::Clash { problem, .. } => *problem == FILE_AND_DIRECTORY,
            _ => false,
        }
    }
}

/// The problem of a file where another entry needs a directory.
pub(super) const FILE_AND_DIRECTORY: &str = "would have to be a file and a directory at once";

/// A path that some file systems cannot store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnportablePath {
    /// The path.
    pub path: String,
    /// The problem, as the end of a sentence.
    pub problem: &'static str,
}

impl fmt::Display for UnportablePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, which {}", Excerpt(&self.path), self.problem)
    }
}

/// The source of an I/O error from the archive's reader.
#[derive(Debug, thiserror::Error)]
#[error("more than {} when unpacked", ByteSize(*.0))]
pub(super) struct LimitReached(pub u64);

pub(super) fn unreadable(error: io::Error) -> TarballError {
    match error.get_ref().and_then(|source| source.downcast_ref::<LimitReached>()) {
        Some(LimitReached(limit)) => TarballError::TooLarge { limit: *limit },
        None => TarballError::Unreadable(error.to_string()),
    }
}
