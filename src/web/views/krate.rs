//! The JSON of a crate.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::text::shown;
use crate::database::catalog::crate_details::CountedCrate;
use crate::web::base_path;

/// Stands for the highest version of a crate of which the index shows none.
const NO_VERSION: &str = "0.0.0";

/// A crate. Its description and links are those of its default version.
#[derive(Serialize, ToSchema)]
#[schema(as = Crate)]
pub struct CrateView {
    /// The same as `name`.
    id: String,
    name: String,
    /// When its index file last changed.
    updated_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    /// The ids of the versions that are included.
    versions: Option<Vec<i32>>,
    /// Its keywords, if they are included.
    keywords: Option<Vec<String>>,
    /// Its categories, if they are included.
    categories: Option<Vec<String>>,
    /// Always empty.
    #[schema(value_type = Vec<String>)]
    badges: [(); 0],
    /// Downloads of all versions, of all time.
    downloads: i64,
    /// Downloads of all versions in the last 90 days.
    recent_downloads: i64,
    /// The version that describes it: the highest one that is neither yanked nor a pre-release, or else the next best.
    default_version: Option<String>,
    /// The number of versions that the index shows.
    num_versions: i32,
    /// Whether every version is yanked.
    yanked: bool,
    /// The highest version that is not yanked; the highest of all if every version is yanked; 0.0.0 if the index shows none
    /// yet.
    max_version: String,
    /// The newest version that is not yanked; the newest of all if every version is yanked; 0.0.0 if the index shows none
    /// yet.
    newest_version: String,
    /// The highest version that is neither yanked nor a pre-release.
    max_stable_version: Option<String>,
    description: Option<String>,
    homepage: Option<String>,
    documentation: Option<String>,
    repository: Option<String>,
    links: CrateLinks,
    /// Whether the search text is its name.
    exact_match: bool,
    /// Whether only trusted publishers may publish it.
    trustpub_only: bool,
}

/// Paths of more about a crate.
#[derive(Serialize, ToSchema)]
pub struct CrateLinks {
    version_downloads: String,
    /// Null if all versions are included.
    versions: Option<String>,
    owners: String,
    owner_team: String,
    owner_user: String,
    reverse_dependencies: String,
}

impl CrateView {
    pub fn new(counted: CountedCrate, base_url: &str) -> Self {
        let CountedCrate { row, default_version, downloads, recent_downloads } = counted;
        let path = format!("{}/api/v1/crates/{}", base_path::of(base_url), row.name);
        let text = |version: Option<crate::package::Version>| version.map(|version| version.to_string());
        Self {
            id: row.name.to_string(),
            name: row.name.into(),
            updated_at: row.updated_at,
            created_at: row.created_at,
            versions: None,
            keywords: None,
            categories: None,
            badges: [],
            downloads,
            recent_downloads,
            default_version: text(default_version),
            num_versions: row.version_count,
            yanked: row.yanked,
            max_version: text(row.max_version).unwrap_or_else(|| NO_VERSION.to_owned()),
            newest_version: text(row.newest_version).unwrap_or_else(|| NO_VERSION.to_owned()),
            max_stable_version: text(row.max_stable_version),
            description: shown(row.description),
            homepage: shown(row.homepage),
            documentation: shown(row.documentation),
            repository: shown(row.repository),
            links: CrateLinks {
                version_downloads: format!("{path}/downloads"),
                versions: Some(format!("{path}/versions")),
                owners: format!("{path}/owners"),
                owner_team: format!("{path}/owner_team"),
                owner_user: format!("{path}/owner_user"),
                reverse_dependencies: format!("{path}/reverse_dependencies"),
            },
            exact_match: false,
            trustpub_only: row.trustpub_only,
        }
    }

    /// Sets `exact_match` if the crate has this name, in any spelling.
    pub fn exact_match(mut self, name: Option<&str>) -> Self {
        self.exact_match = name.is_some_and(|name| self.name.to_ascii_lowercase().replace('-', "_") == name);
        self
    }

    /// Lists what is included with the crate.
    pub fn with(
        mut self,
        (versions, is_complete): (Option<Vec<i32>>, bool),
        keywords: Option<Vec<String>>,
        categories: Option<Vec<String>>,
    ) -> Self {
        if versions.is_some() && is_complete {
            self.links.versions = None;
        }
        (self.versions, self.keywords, self.categories) = (versions, keywords, categories);
        self
    }
}
