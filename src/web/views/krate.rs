//! A crate.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::shown;
use crate::database::catalog::rows::CountedCrate;

/// A crate as a whole; what describes it is its default version's.
#[derive(Serialize, ToSchema)]
#[schema(as = Crate)]
pub struct CrateView {
    /// The name once more.
    id: String,
    name: String,
    /// When the index last changed for it.
    updated_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    /// The ids of those versions that are told with it.
    versions: Option<Vec<i32>>,
    /// Its keywords, where they are told with it.
    keywords: Option<Vec<String>>,
    /// Its categories, where they are told with it.
    categories: Option<Vec<String>>,
    /// Always empty.
    #[schema(value_type = Vec<String>)]
    badges: [(); 0],
    /// Downloads of all versions, ever.
    downloads: i64,
    /// Downloads of all versions within ninety days.
    recent_downloads: i64,
    /// The version that describes it: the highest that is neither yanked nor a pre-release, or the nearest to that.
    default_version: Option<String>,
    /// How many versions the index shows.
    num_versions: i32,
    /// Every version is yanked.
    yanked: bool,
    /// The highest version that is not yanked, by SemVer; of a crate that is yanked as a whole the highest of all.
    max_version: String,
    /// The version published last that is not yanked; of a crate that is yanked as a whole the last of all.
    newest_version: String,
    /// The highest version that is neither yanked nor a pre-release.
    max_stable_version: Option<String>,
    description: Option<String>,
    homepage: Option<String>,
    documentation: Option<String>,
    repository: Option<String>,
    links: CrateLinks,
    /// The query is its name.
    exact_match: bool,
}

/// Where more is told of a crate.
#[derive(Serialize, ToSchema)]
pub struct CrateLinks {
    version_downloads: String,
    /// Null where all versions are told with the crate.
    versions: Option<String>,
    owners: String,
    owner_team: String,
    owner_user: String,
    reverse_dependencies: String,
}

impl CrateView {
    pub fn new(counted: CountedCrate) -> Self {
        let CountedCrate { row, default_version, downloads, recent_downloads } = counted;
        let path = format!("/api/v1/crates/{}", row.name);
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
            max_version: text(row.max_version).unwrap_or_default(),
            newest_version: text(row.newest_version).unwrap_or_default(),
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
        }
    }

    /// Found by its own name, in any spelling.
    pub fn exact_match(mut self, name: Option<&str>) -> Self {
        self.exact_match = name.is_some_and(|name| self.name.to_ascii_lowercase().replace('-', "_") == name);
        self
    }

    /// Names what is told with it.
    pub fn with(
        mut self,
        (versions, all_told): (Option<Vec<i32>>, bool),
        keywords: Option<Vec<String>>,
        categories: Option<Vec<String>>,
    ) -> Self {
        if versions.is_some() && all_told {
            self.links.versions = None;
        }
        (self.versions, self.keywords, self.categories) = (versions, keywords, categories);
        self
    }
}
