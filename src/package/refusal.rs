//! Why a publish is refused, and with which status.

use super::agreement::Disagreement;
use super::features::FeatureError;
use super::limits::LimitError;
use super::manifest::ManifestError;
use super::metadata::MetadataError;
use super::name::NameError;
use super::policy::PolicyError;
use super::publish_request::FramingError;
use super::tarball::TarballError;
use super::version::VersionError;

/// A publish that can't be accepted as it is. Its text is the public message: it names the value and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is not a publish request, or is too large.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// The name is not one, or is reserved.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The version is not one.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The `.crate` file is not a package.
    #[error(transparent)]
    Tarball(#[from] TarballError),
    /// The manifest in it can't be published.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It lists more than it may.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The features in it don't hold together.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The metadata beside it can't be understood.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The metadata says something else than the manifest.
    #[error(transparent)]
    Disagreement(#[from] Box<Disagreement>),
    /// The registry's operator does not want it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Refusal {
    /// The HTTP status of the answer: 413 where the request is too large, 400 for all else.
    pub fn status(&self) -> u16 {
        match self {
            Self::Framing(FramingError::MetadataTooLarge { .. } | FramingError::CrateTooLarge { .. }) => 413,
            _ => 400,
        }
    }
}
