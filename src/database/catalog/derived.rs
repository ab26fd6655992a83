//! The columns of a crate that are derived from its versions in the index. The job that writes the index writes what the
//! versions alone say ([`VersionSummary`]); [`descriptions`](super::descriptions) write the rest soon after it.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use serde::Serialize;

use super::version_summary::VersionSummary;
use crate::database::about::{About, short_url};
use crate::database::schema::crates;
use crate::full_disk;

/// The derived columns.
#[derive(Queryable, Selectable, Serialize, Clone, Debug, Default, PartialEq, Eq)]
#[diesel(table_name = crates)]
pub struct Derived {
    #[diesel(embed)]
    #[serde(flatten)]
    pub versions: VersionSummary,
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
        Self {
            versions,
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
        let (ours, theirs) = (&self.versions, &other.versions);
        [
            ("max_version", ours.max_version == theirs.max_version),
            ("max_stable_version", ours.max_stable_version == theirs.max_stable_version),
            ("newest_version", ours.newest_version == theirs.newest_version),
            ("default_version_id", ours.default_version_id == theirs.default_version_id),
            ("version_count", ours.version_count == theirs.version_count),
            ("yanked", ours.yanked == theirs.yanked),
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
