//! `PUT /api/v1/release-sets/{set}/approve` and `…/reject`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{MAX_BODY, SetPath};
use crate::database::access::caller::Caller;
use crate::database::staging::SetName;
use crate::database::staging::view::ReleaseSetView;
use crate::fault;
use crate::jobs::staging;
use crate::web::api::publish::AFTER;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::json::callers_json;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::release_sets::{self as deciding, Outcome, set_name, view};
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// What the approver has seen.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct ApprovalQuery {
    /// The `revision` of the set that was looked at: if the set has changed since, nothing is published.
    revision: Option<i64>,
    /// Why an admin approves without the others who have to. It is in the audit log, and logged as an error.
    #[param(rename = "override")]
    override_reason: Option<String>,
}

/// The set after the decision.
#[derive(Serialize, ToSchema)]
pub struct Decided {
    release_set: ReleaseSetView,
    /// Whether the index shows the decision already.
    shown: bool,
}

/// Why the set is rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    #[serde(default)]
    #[schema(example = "acme-core lacks its licence file", min_length = 1, max_length = 1000)]
    reason: String,
}

/// Approve a release set
///
/// All its versions are published and its changes made, at one moment, or none of them. Every rule of a publish is checked
/// again. The token needs the scope `approve`, or no restrictions.
#[utoipa::path(
    put,
    path = "/api/v1/release-sets/{set}/approve",
    tag = "release sets",
    params(SetPath, ApprovalQuery),
    security(("token" = [])),
    responses(
        (status = 200, body = Decided, description = "The set is accepted permanently"),
        (status = 202, body = Decided, description = "The approval is noted, and others have to approve, too"),
        AnyError,
    ),
)]
pub async fn approve(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(set): ApiPath<String>,
    query: QueryParameters,
) -> Result<(StatusCode, Json<Decided>), ApiError> {
    let name = set_name(&set)?;
    let revision = query.parsed("revision", "the revision of the set that was looked at")?;
    let override_reason = query.text("override");
    let outcome = deciding::approve(&app, name.clone(), (revision, override_reason), caller.clone()).await?;
    let (status, shown) = match outcome {
        Outcome::Waits => (StatusCode::ACCEPTED, false),
        Outcome::Published { shown } => {
            fault::point_after(AFTER, "request.answered");
            (StatusCode::OK, shown)
        }
    };
    Ok((status, decided(&app, (name, &caller), shown).await?))
}

/// Withdraw an approval
///
/// That of the caller, as long as others have to approve, too.
#[utoipa::path(
    delete,
    path = "/api/v1/release-sets/{set}/approve",
    tag = "release sets",
    params(SetPath),
    security(("token" = [])),
    responses((status = 200, body = Decided, description = "The approval is gone, or there was none"), AnyError),
)]
pub async fn withdraw(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(set): ApiPath<String>,
) -> Result<Json<Decided>, ApiError> {
    let name = set_name(&set)?;
    deciding::withdraw(&app, name.clone(), caller.clone()).await?;
    decided(&app, (name, &caller), true).await
}

/// Reject a release set
///
/// What was staged is gone, and its numbers and names are free again.
#[utoipa::path(
    put,
    path = "/api/v1/release-sets/{set}/reject",
    tag = "release sets",
    params(SetPath),
    security(("token" = [])),
    request_body = Rejection,
    responses((status = 200, body = Decided, description = "The set is rejected"), AnyError),
)]
pub async fn reject(
    State(app): State<App>,
    ApiPath(set): ApiPath<String>,
    request: Request,
) -> Result<Json<Decided>, ApiError> {
    let (caller, rejection): (_, Rejection) = callers_json(&app, request, MAX_BODY, |_| Ok(())).await?;
    let name = set_name(&set)?;
    deciding::reject(&app, name.clone(), rejection.reason, caller.clone()).await?;
    decided(&app, (name, &caller), true).await
}

/// The answer to a caller who has decided, and may no longer belong to the set.
async fn decided(app: &App, (name, caller): (SetName, &Caller), shown: bool) -> Result<Json<Decided>, ApiError> {
    let set = app.with_connection(move |connection| staging::find(connection, &name)).await?;
    Ok(Json(Decided { release_set: view(app, set, caller).await?, shown }))
}
