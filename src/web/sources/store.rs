//! What is shared by all requests for sources, and how they name packages.

use axum::http::StatusCode;

use super::kept::Kept;
use crate::package::{Checksum, CrateName, Version};
use crate::source::{PackageId, SourceCache, SourceError};
use crate::web::ApiError;
use crate::web::limits::source_work::SourceWork;
use crate::web::shortened::shortened;

/// The sources of the registry.
pub struct Sources {
    pub cache: SourceCache,
    pub(super) kept: Kept,
    pub(super) work: SourceWork,
}

/// A package, as messages name it.
#[derive(Clone, Debug)]
pub struct Package {
    pub id: PackageId,
    pub name: CrateName,
    pub num: Version,
}

/// The two versions of `1.0.0...1.1.0`.
pub fn two_versions(versions: &str) -> Result<(&str, &str), ApiError> {
    versions.split_once("...").ok_or_else(|| {
        let versions = shortened(versions);
        ApiError::not_found(format!("`{versions}` names no two versions: write them as 1.0.0...1.1.0"))
    })
}

impl Package {
    pub fn new(name: &CrateName, num: &Version, checksum: Checksum) -> Self {
        Self { id: PackageId::new(name, num, checksum), name: name.clone(), num: num.clone() }
    }

    /// What a new crate is compared with: it has no files.
    pub fn nothing(name: &CrateName, num: &Version) -> Self {
        Self { id: PackageId::nothing(), name: name.clone(), num: num.clone() }
    }

    /// The error of a package whose files cannot be read.
    pub(super) fn failed(&self, error: SourceError) -> ApiError {
        match error {
            SourceError::Store(error) => error.into(),
            SourceError::Cache(error) => ApiError::unavailable(error),
            SourceError::Unreadable(_) | SourceError::TooLarge { .. } => ApiError::new(
                StatusCode::NOT_FOUND,
                format!("the files of `{}@{}` cannot be shown: {error}", self.name, self.num),
            ),
            SourceError::Missing | SourceError::Damaged => ApiError::internal(error),
        }
    }
}

impl Sources {
    pub fn new(cache: SourceCache, work: SourceWork) -> Self {
        Self { cache, kept: Kept::new(), work }
    }
}
