//! The columns of a crate that are derived from its versions in the index. The job that writes the index writes what the
//! versions alone say ([`VersionSummary`]); [`descriptions`](super::descriptions) write the rest soon after it.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use serde::Serialize;

use super::version_summary::VersionSummary;
use crate::database::about::{About, short_url};
use crate::database::schema::crates;
use crate::full_disk;
use crate::package::Version;

/// The derived columns.
#[derive(Queryable, Selectable, Serialize, Clone, Debug, Default, PartialEq, Eq)]
#[diesel(table_name = crates)]
pub struct Derived {
    /// The highest version that is not yanked, or the highest of all.
    pub max_version: Option<Version>,
    pub max_stable_version: Option<Version>,
    /// The version that was published last.
    pub newest_version: Option<Version>,
    pub default_version_id: Option<i32>,
    pub version_count: i32,
    /// Whether every version is yanked.
    pub yanked: bool,
    pub description: Option<String>,
    pub homepage: Option<String>,
    pub documentation: Option<String>,
    pub repository: Option<String>,
    pub keywords: Vec<String>,
    pub categories: Vec<String>,
}

impl Derived {
    /// Derives the columns from the versions in the index and the manifest of the default version.
    pub fn of(versions: VersionSummary, about: &About) -> Self {
        let VersionSummary {
            max_version,
            max_stable_version,
            newest_version,
            default_version_id,
            version_count,
            yanked,
        } = versions;
        Self {
            max_version,
            max_stable_version,
            newest_version,
            default_version_id,
            version_count,
            yanked,
            description: about.short_description(),
            homepage: short_url(about.homepage.as_ref()),
            documentation: short_url(about.documentation.as_ref()),
            repository: short_url(about.repository.as_ref()),
            keywords: about.keyword_ids(),
            categories: about.category_ids(),
        }
    }

    /// The names of the columns that differ.
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        [
            ("max_version", self.max_version == other.max_version),
            ("max_stable_version", self.max_stable_version == other.max_stable_version),
            ("newest_version", self.newest_version == other.newest_version),
            ("default_version_id", self.default_version_id == other.default_version_id),
            ("version_count", self.version_count == other.version_count),
            ("yanked", self.yanked == other.yanked),
            ("description", self.description == other.description),
            ("homepage", self.homepage == other.homepage),
            ("documentation", self.documentation == other.documentation),
            ("repository", self.repository == other.repository),
            ("keywords", self.keywords == other.keywords),
            ("categories", self.categories == other.categories),
        ]
        .into_iter()
        .filter(|(_, equal)| !equal)
        .map(|(name, _)| name)
        .collect()
    }
}

/// Whether the database rejected the content of a statement. Diesel does not return the error code. An error that is
/// mistaken for a rejection leaves a crate without a description, which a verification finds and repairs.
pub fn is_refusal(error: &Error) -> bool {
    const TRANSIENT: [&str; 3] = ["canceling statement", "deadlock detected", "out of memory"];
    match error {
        Error::DatabaseError(kind, information) => {
            !matches!(
                kind,
                DatabaseErrorKind::ClosedConnection
                    | DatabaseErrorKind::UnableToSendCommand
                    | DatabaseErrorKind::SerializationFailure
                    | DatabaseErrorKind::ReadOnlyTransaction
            ) && !TRANSIENT.iter().any(|transient| information.message().contains(transient))
                && !full_disk::is_named_in(information.message())
        }
        _ => false,
    }
}
