//! The JSON of a version.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::owner::UserView;
use super::text::shown;
use crate::database::catalog::version_details::CountedVersion;
use crate::package::characters::harmless;
use crate::web::base_path;

/// A version of a crate.
#[derive(Serialize, ToSchema)]
#[schema(as = Version)]
pub struct VersionView {
    id: i32,
    /// The crate's name.
    #[serde(rename = "crate")]
    krate: String,
    num: String,
    /// The path of the crate file.
    dl_path: String,
    /// The path of the README.
    readme_path: String,
    /// When the index began to show it; until then, when it was accepted.
    updated_at: DateTime<Utc>,
    /// When it was accepted.
    created_at: DateTime<Utc>,
    downloads: i64,
    /// Empty in lists of versions.
    features: BTreeMap<String, Vec<String>>,
    /// Whether the index shows it as yanked.
    yanked: bool,
    /// Always null.
    yank_message: Option<String>,
    /// The native library that it links.
    lib_links: Option<String>,
    /// An SPDX expression.
    license: Option<String>,
    /// The path of the licence file in the crate, if the manifest has one.
    license_file: Option<String>,
    links: VersionLinks,
    /// The size of the crate file in bytes.
    crate_size: i64,
    published_by: Option<UserView>,
    /// Always empty.
    #[schema(value_type = Vec<String>)]
    audit_actions: [(); 0],
    /// The SHA-256 of the crate file, in hexadecimal.
    checksum: String,
    rust_version: Option<String>,
    description: Option<String>,
    homepage: Option<String>,
    documentation: Option<String>,
    repository: Option<String>,
    /// `queued` until the index shows it, then `published`.
    #[schema(example = "published")]
    state: &'static str,
    /// The requested yank state, while the index does not show it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    desired_yanked: Option<bool>,
    /// When the index began to show it.
    published_at: Option<DateTime<Utc>>,
    /// The commit of the index that published it.
    index_commit: Option<String>,
}

/// Paths of more about a version.
#[derive(Serialize, ToSchema)]
pub struct VersionLinks {
    dependencies: String,
    version_downloads: String,
    authors: String,
}

fn features(features: BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    let harmless_all = |values: Vec<String>| values.into_iter().map(harmless).collect();
    features.into_iter().map(|(name, values)| (harmless(name), harmless_all(values))).collect()
}

impl VersionView {
    pub fn new(counted: CountedVersion, base_url: &str) -> Self {
        let CountedVersion { row, crate_name, about, published_by, downloads } = counted;
        let path = format!("{}/api/v1/crates/{crate_name}/{}", base_path::of(base_url), row.num);
        let yanked = row.effective_yanked.unwrap_or(false);
        Self {
            id: row.id,
            krate: crate_name.into(),
            num: row.num.to_string(),
            dl_path: format!("{path}/download"),
            readme_path: format!("{path}/readme"),
            updated_at: row.published_at.unwrap_or(row.created_at),
            created_at: row.created_at,
            downloads,
            features: features(about.features.unwrap_or_default()),
            yanked,
            yank_message: None,
            lib_links: shown(about.links),
            license: shown(about.license),
            license_file: shown(about.license_file),
            links: VersionLinks {
                dependencies: format!("{path}/dependencies"),
                version_downloads: format!("{path}/downloads"),
                authors: format!("{path}/authors"),
            },
            crate_size: row.size,
            published_by: published_by.map(|user| UserView::new(user, base_url)),
            audit_actions: [],
            checksum: row.checksum.to_string(),
            rust_version: shown(about.rust_version),
            description: shown(about.description),
            homepage: shown(about.homepage),
            documentation: shown(about.documentation),
            repository: shown(about.repository),
            state: if row.effective_yanked.is_some() { "published" } else { "queued" },
            // A version that is not in the index yet is not yanked.
            desired_yanked: (yanked != row.desired_yanked).then_some(row.desired_yanked),
            published_at: row.published_at,
            index_commit: row.commit_id,
        }
    }
}
