//! `PUT /api/v1/release-sets/{set}/approve` and `…/reject`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use chrono::Utc;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{MAX_BODY, SetPath, set_name, visible};
use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::database::staging::SetName;
use crate::database::staging::rules::Missing;
use crate::database::staging::sets::SetState;
use crate::database::staging::view::ReleaseSetView;
use crate::fault;
use crate::jobs::staging;
use crate::jobs::staging::approve::{self, Approval, Approved, Approver, Decision};
use crate::jobs::staging::end::{self, remove_files};
use crate::jobs::staging::examine::{self, Rules};
use crate::web::answers::waiting::is_shown;
use crate::web::api::publish::AFTER;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::json::callers_json;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
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
    /// The approvals that are needed before the set is published, a sentence for each rule.
    missing: Vec<String>,
}

/// Why the set is rejected.
#[derive(Deserialize, ToSchema)]
pub struct Rejection {
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
    if let Some(scopes) = caller.token.scopes.as_ref().filter(|scopes| !scopes.0.contains(&Scope::Approve)) {
        let denied = crate::database::access::caller::Denied::Scope {
            token: caller.token.name.clone(),
            needed: Scope::Approve,
            given: scopes.to_string(),
        };
        return Err(denied.into());
    }
    app.admit_job()?;
    let revision = query.parsed("revision", "the revision of the set that was looked at")?;
    let override_reason = query.text("override");
    let (asked, approver) = (name.clone(), caller.clone());
    let accepted =
        app.blocking(move |app| accept(app, &asked, (revision, override_reason.as_deref()), &approver)).await?;
    let completion = match accepted {
        Decision::Published(approved) => approved.completion,
        Decision::Waits(missing) => {
            let missing = missing.iter().map(sentence).collect();
            return Ok((StatusCode::ACCEPTED, decided(&app, name, (false, missing)).await?));
        }
    };
    let shown = match completion {
        Some(completion) => is_shown(&app, completion).await,
        None => true,
    };
    fault::point_after(AFTER, "request.answered");
    Ok((StatusCode::OK, decided(&app, name, (shown, Vec::new())).await?))
}

/// What a rule needs.
fn sentence(missing: &Missing) -> String {
    let Missing { name, subject, approvals, given, by_another, approved_by } = missing;
    let who = match approved_by {
        Some(team) => format!("members of the team {team}"),
        None => format!("users who may publish `{name}`"),
    };
    let other = if *by_another { " who have not staged it" } else { "" };
    let rule = subject.as_ref().map_or_else(String::new, |subject| format!(" (rule {subject})"));
    let noun = if *approvals == 1 { "approval" } else { "approvals" };
    format!("`{name}`{rule} needs {approvals} {noun} of {who}{other}, and has {given}")
}

fn accept(
    app: &App,
    name: &SetName,
    (revision, override_reason): (Option<i64>, Option<&str>),
    caller: &Caller,
) -> Result<Decision, ApiError> {
    fault::point("request.read")?;
    let settings = &app.settings;
    let rules = Rules { urls: &settings.urls, limits: &settings.limits, policy: &settings.policy };
    let set = app.pool.with(|connection| visible(connection, name, caller))??;
    if set.state(Utc::now()) == SetState::Approved && set.ended_by.as_deref() == Some(&caller.user.login) {
        // The answer to an earlier request was lost.
        let (versions, changes) = (0, 0);
        return Ok(Decision::Published(Approved { versions, changes, deletes: false, completion: None }));
    }
    let examined = app
        .cpu_slots
        .run(|| app.pool.with(|connection| examine::examine(connection, set, &app.crate_store, rules, Utc::now())))??;
    fault::point("approve.examined")?;
    let is_stored = |checksum| app.crate_store.contains(checksum);
    let decision = app.pool.with(|connection| {
        let approver = Approver::User(caller);
        let approval = Approval { examined: &examined, revision, override_reason };
        approve::request(connection, &approval, &approver, &is_stored, &app.completions)
    })??;
    let Decision::Published(approved) = &decision else { return Ok(decision) };
    fault::point("request.committed")?;
    app.overlays.forget(name);
    if approved.deletes {
        app.known_files.doubt();
    }
    app.wake_workers();
    tracing::info!(set = %name, versions = approved.versions, changes = approved.changes, "approved a release set");
    Ok(decision)
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
    let (asked, by) = (name.clone(), caller.clone());
    app.blocking(move |app| {
        let files = app.pool.with(|connection| end::reject_as(connection, &asked, &rejection.reason, &by))??;
        app.overlays.forget(&asked);
        fault::point("reject.committed")?;
        app.pool.with(|connection| remove_files(connection, &app.crate_store, &files))?;
        tracing::info!(set = %asked, versions = files.len(), "rejected a release set");
        Ok(())
    })
    .await?;
    decided(&app, name, (true, Vec::new())).await
}

/// The answer to a caller who has decided.
async fn decided(app: &App, name: SetName, (shown, missing): (bool, Vec<String>)) -> Result<Json<Decided>, ApiError> {
    let base_url = app.settings.base_url.clone();
    let view = app.with_connection(move |connection| {
        let set = staging::find(connection, &name)?;
        Ok::<_, crate::jobs::RequestError>(ReleaseSetView::read(connection, set, &base_url)?)
    });
    Ok(Json(Decided { release_set: view.await?, shown, missing }))
}
