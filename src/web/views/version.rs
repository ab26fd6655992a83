//! The JSON of a version.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::owner::UserView;
use super::text::shown;
use crate::database::access::provenance::{Provenance, Provider};
use crate::database::catalog::version_actions::VersionAction;
use crate::database::catalog::version_details::CountedVersion;
use crate::package::characters::harmless;
use crate::package::line_counts::LineCounts;
use crate::web::base_path;
use crate::web::docs::url;

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
    /// Where its documentation is in this registry; null if none was uploaded.
    #[schema(example = "https://crates.example/docs/demo/1.0.0/")]
    docs_url: Option<String>,
    repository: Option<String>,
    /// Where it comes from, as crates.io says it: `provider` and, of GitHub, `repository`, `run_id` and `sha`, of GitLab
    /// `project_path`, `job_id` and `sha`; null unless a trusted publisher has published it.
    trustpub_data: Option<BTreeMap<String, String>>,
    /// Where it comes from, with all that is known; null unless a trusted publisher has published it.
    provenance: Option<ProvenanceView>,
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

/// Where a version comes from that a trusted publisher has published: the claims of its ID token.
#[derive(Serialize, ToSchema)]
#[schema(as = Provenance)]
pub struct ProvenanceView {
    /// `github`, `gitlab`, `forgejo` or `oidc`.
    #[schema(example = "github")]
    provider: &'static str,
    /// The issuer of the ID token.
    #[schema(example = "https://token.actions.githubusercontent.com")]
    issuer: String,
    /// The claim `sub`.
    subject: String,
    /// The repository, or the path of the project.
    #[schema(example = "acme/widgets")]
    repository: Option<String>,
    /// The commit.
    sha: Option<String>,
    /// The branch or the tag.
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    /// The file of the workflow.
    #[schema(example = "release.yml")]
    workflow: Option<String>,
    environment: Option<String>,
    /// What started the run.
    event: Option<String>,
    /// The account that started the run.
    actor: Option<String>,
    run_id: Option<String>,
    job_id: Option<String>,
    /// The page of the run.
    run_url: Option<String>,
}

impl From<Provenance> for ProvenanceView {
    fn from(found: Provenance) -> Self {
        Self {
            provider: found.provider.as_str(),
            issuer: harmless(found.issuer),
            subject: harmless(found.subject),
            repository: shown(found.repository),
            sha: shown(found.sha),
            git_ref: shown(found.git_ref),
            workflow: shown(found.workflow),
            environment: shown(found.environment),
            event: shown(found.event),
            actor: shown(found.actor),
            run_id: shown(found.run_id),
            job_id: shown(found.job_id),
            run_url: shown(found.run_url),
        }
    }
}

fn trustpub_data(found: &Provenance) -> BTreeMap<String, String> {
    let (repository, run) = match found.provider {
        Provider::GitLab => (("project_path", &found.repository), ("job_id", &found.job_id)),
        _ => (("repository", &found.repository), ("run_id", &found.run_id)),
    };
    let known = [repository, run, ("sha", &found.sha)];
    let provider = ("provider".to_owned(), found.provider.as_str().to_owned());
    let others = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), harmless(value.clone()?))));
    std::iter::once(provider).chain(others).collect()
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
        let CountedVersion { row, crate_name, about, published_by, downloads, actions, has_docs } = counted;
        let docs_url = has_docs.then(|| url(base_url, &crate_name, &row.num));
        let path = format!("{}/api/v1/crates/{crate_name}/{}", base_path::of(base_url), row.num);
        let yanked = row.effective_yanked.unwrap_or(false);
        let provenance = row.provenance();
        // Null for a machine, as on crates.io.
        let published_by = published_by.filter(|_| provenance.is_none());
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
            docs_url,
            repository: shown(about.repository),
            trustpub_data: provenance.as_ref().map(trustpub_data),
            provenance: provenance.map(ProvenanceView::from),
            linecounts: row.linecounts.and_then(|counts| serde_json::from_value(counts).ok()),
            state: if row.effective_yanked.is_some() { "published" } else { "queued" },
            // A version that is not in the index yet is not yanked.
            desired_yanked: (yanked != row.desired_yanked).then_some(row.desired_yanked),
            published_at: row.published_at,
            index_commit: row.commit_id,
        }
    }
}
