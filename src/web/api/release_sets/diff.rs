//! `GET /api/v1/release-sets/{set}/crates/{crate}/{version}`: what the approval of a staged version would publish.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::StagedPath;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::{ApiPath, crate_and_version};
use crate::web::release_sets::{Review, review, set_name};
use crate::web::views::{AnyError, ComparisonView};
use crate::web::{ApiError, App, ClientAddress};

/// A staged version beside the one before it.
#[derive(Serialize, ToSchema)]
pub struct StagedDiff {
    #[serde(rename = "crate")]
    krate: String,
    version: String,
    /// The highest published version below it, or else the newest one; null for a new crate.
    previous: Option<String>,
    /// The size of the crate file in bytes.
    size: i64,
    /// That of the previous version.
    previous_size: Option<i64>,
    staged_by: String,
    /// The name of the token that it was staged with; for members of the set and admins alone, as the address.
    token: Option<String>,
    /// The address that it was staged from.
    address: Option<String>,
    staged_at: DateTime<Utc>,
    /// The commit of the repository that it was packaged from, if cargo recorded one.
    vcs_commit: Option<String>,
    /// The logins of the crate's owners, teams as `team:NAME`; none for a new crate.
    owners: Vec<String>,
    /// The number of crates of the registry that depend on the crate.
    dependents: i64,
    /// The first 20 of them.
    dependents_named: Vec<String>,
    /// What changed; all of a new crate is added.
    diff: ComparisonView,
}

/// Show what a staged version changes
///
/// Compares the packaged files with those of the version before it, as `GET /api/v1/crates/{crate}/diff/{versions}` does, and
/// says who staged it and which crates depend on it. A client that asks for many comparisons gets 429.
#[utoipa::path(
    get,
    path = "/api/v1/release-sets/{set}/crates/{crate}/{version}",
    tag = "release sets",
    params(StagedPath),
    security(("token" = [])),
    responses((status = 200, body = StagedDiff, description = "The staged version, and what changed"), AnyError),
)]
pub async fn show(
    State(app): State<App>,
    client: ClientAddress,
    Authenticated(caller): Authenticated,
    ApiPath((set, name, num)): ApiPath<(String, String, String)>,
) -> Result<Json<StagedDiff>, ApiError> {
    let set = set_name(&set)?;
    let (name, num) = crate_and_version(&name, &num)?;
    let reviewed = review(&app, client, caller, (set, name, num)).await?;
    let Review { staged, previous, owners, dependents: (named, dependents), vcs_commit, comparison, .. } = reviewed;
    let before = previous.as_ref().map(|previous| &previous.num);
    let diff = ComparisonView::new(&staged.name, (before, &staged.num), &comparison);
    Ok(Json(StagedDiff {
        krate: staged.name.to_string(),
        version: staged.num.to_string(),
        previous: before.map(ToString::to_string),
        size: staged.size,
        previous_size: previous.map(|previous| previous.size),
        staged_by: staged.login,
        token: staged.token_name,
        address: staged.address,
        staged_at: staged.staged_at,
        vcs_commit,
        owners,
        dependents,
        dependents_named: named.iter().map(ToString::to_string).collect(),
        diff,
    }))
}
