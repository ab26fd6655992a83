//! `GET /api/v1/release-sets/{set}/crates/{crate}/{version}`: what the approval of a staged version would publish.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde::Serialize;
use utoipa::ToSchema;

use super::{StagedPath, set_name, visible};
use crate::database::access::caller::Caller;
use crate::database::catalog::owners::{self, Owner};
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::catalog::{crates, dependents};
use crate::database::staging::SetName;
use crate::database::staging::staged::{self, Previous, StagedVersion};
use crate::jobs::RequestError;
use crate::package::{CrateName, Version};
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::{ApiPath, crate_and_version};
use crate::web::sources::{self, Package};
use crate::web::views::{AnyError, ComparisonView};
use crate::web::{ApiError, App, ClientAddress};

/// The most dependents that are named.
const NAMED: i64 = 20;

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
    /// The name of the token that it was staged with.
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
    /// What changed; null for a new crate.
    diff: Option<ComparisonView>,
}

struct Found {
    staged: StagedVersion,
    previous: Option<Previous>,
    owners: Vec<String>,
    dependents: (Vec<CrateName>, i64),
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
    let found = app.with_connection(move |connection| find(connection, &set, (&name, &num), &caller)).await?;
    let Found { staged, previous, owners, dependents: (named, dependents) } = found;
    let after = Package::new(&staged.name, &staged.num, staged.checksum);
    let opened = sources::open(&app, client, &after).await?;
    let vcs_commit = opened.vcs_info().map(|info| info.commit.clone());
    let diff = match &previous {
        None => None,
        Some(previous) => {
            let before = Package::new(&staged.name, &previous.num, previous.checksum);
            let comparison = sources::compare(&app, client, (&before, &after)).await?;
            Some(ComparisonView::new(&staged.name, (&before.num, &after.num), &comparison))
        }
    };
    Ok(Json(StagedDiff {
        krate: staged.name.to_string(),
        version: staged.num.to_string(),
        previous: previous.as_ref().map(|previous| previous.num.to_string()),
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

fn find(
    connection: &mut PgConnection,
    set: &SetName,
    (name, num): (&CrateName, &Version),
    caller: &Caller,
) -> Result<Found, RequestError> {
    let set = visible(connection, set, caller)?;
    let staged = staged::of_set(connection, set.id)?;
    let staged = staged.into_iter().find(|one| one.name.canonical() == name.canonical() && one.num == *num);
    let not_staged = || SetRefusal::NotStaged { set: set.name.clone(), version: format!("{name}@{num}") };
    let staged = staged.ok_or_else(not_staged)?;
    let previous = staged::previous(connection, name, num)?;
    let dependents = dependents::dependent_crates(connection, &staged.name, NAMED)?;
    let owners = match crates::find(connection, name)? {
        Some(krate) => owners::list_all(connection, krate.id)?.iter().map(Owner::login).collect(),
        None => Vec::new(),
    };
    Ok(Found { staged, previous, owners, dependents })
}
