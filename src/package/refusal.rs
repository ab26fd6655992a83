//! The refusal of a publish, with its HTTP status.

use super::disagreement::Disagreement;
use super::features::FeatureError;
use super::framing_error::FramingError;
use super::limits::LimitError;
use super::manifest::ManifestError;
use super::metadata::MetadataError;
use super::name::NameError;
use super::policy::PolicyError;
use super::tarball::TarballError;
use super::version::VersionError;

/// Why a publish is refused. The text is the public message: it names the value and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is not a publish request, or is too large.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// The name is invalid or reserved.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The version is invalid.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The `.crate` file is not a package.
    #[error(transparent)]
    Tarball(#[from] TarballError),
    /// The manifest is invalid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest is above a limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The features are inconsistent.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The metadata is invalid.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The metadata differs from the manifest.
    #[error(transparent)]
    Disagreement(#[from] Box<Disagreement>),
    /// It breaks a rule of the registry's operator.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Refusal {
    /// The HTTP status of the response: 413 if the request is too large, otherwise 400.
    pub fn status(&self) -> u16 {
        match self {
            Self::Framing(FramingError::MetadataTooLarge { .. } | FramingError::CrateTooLarge { .. }) => 413,
            _ => 400,
        }
    }
}
