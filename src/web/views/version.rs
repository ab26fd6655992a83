//! The JSON of a version.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::owner::UserView;
use super::text::shown;
use crate::database::catalog::version_actions::VersionAction;
use crate::database::catalog::version_details::CountedVersion;
use crate::package::characters::harmless;
use crate::package::line_counts::LineCounts;
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
    /// Why it is yanked, or to be yanked.
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
    /// Who published, yanked and unyanked it, the oldest action first: at most the last hundred.
    audit_actions: Vec<AuditActionView>,
    /// The SHA-256 of the crate file, in hexadecimal.
    checksum: String,
    rust_version: Option<String>,
    /// Whether it has a library; null until the crate file of an older version was analysed.
    has_lib: Option<bool>,
    /// The names of its binaries; null until the crate file of an older version was analysed, or if they are very long.
    bin_names: Option<Vec<String>>,
    /// The edition in the manifest.
    edition: Option<String>,
    description: Option<String>,
    homepage: Option<String>,
    documentation: Option<String>,
    repository: Option<String>,
    /// Always null.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    trustpub_data: Option<()>,
    /// Lines of code by language; null until the crate file was analysed, or if it cannot be.
    linecounts: Option<LineCounts>,
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

/// An action of a user on a version.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditAction)]
pub struct AuditActionView {
    /// `publish`, `yank` or `unyank`.
    #[schema(example = "publish")]
    action: String,
    user: UserView,
    time: DateTime<Utc>,
}

impl AuditActionView {
    fn new(done: VersionAction, base_url: &str) -> Self {
        Self { action: done.action, user: UserView::new(done.user, base_url), time: done.time }
    }
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
        let CountedVersion { row, crate_name, about, published_by, downloads, actions } = counted;
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
            // A program without messages may have unyanked it.
            yank_message: shown(row.yank_message.filter(|_| row.desired_yanked)),
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
            audit_actions: actions.into_iter().map(|done| AuditActionView::new(done, base_url)).collect(),
            checksum: row.checksum.to_string(),
            rust_version: shown(about.rust_version),
            has_lib: about.has_lib,
            bin_names: about.bin_names.map(|names| names.into_iter().map(harmless).collect()),
            edition: about.edition,
            description: shown(about.description),
            homepage: shown(about.homepage),
            documentation: shown(about.documentation),
            repository: shown(about.repository),
            trustpub_data: None,
            linecounts: row.linecounts.and_then(|counts| serde_json::from_value(counts).ok()),
            state: if row.effective_yanked.is_some() { "published" } else { "queued" },
            // A version that is not in the index yet is not yanked.
            desired_yanked: (yanked != row.desired_yanked).then_some(row.desired_yanked),
            published_at: row.published_at,
            index_commit: row.commit_id,
        }
    }
}
