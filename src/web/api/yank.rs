//! `DELETE /api/v1/crates/{crate}/{version}/yank`, `PUT …/unyank`, and `PATCH /api/v1/crates/{crate}/{version}`.

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::publish::AFTER;
use super::version::{self, VersionAnswer};
use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::fault;
use crate::jobs::Completion;
use crate::jobs::yank::{self, YankState};
use crate::package::{CrateName, Version};
use crate::web::answers::waiting::is_shown;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::json::callers_json;
use crate::web::extract::path::{ApiPath, VersionPath, crate_and_version};
use crate::web::views::{AnyError, Errors};
use crate::web::{ApiError, App};

/// The largest body of an update, in bytes: some times as much as the longest message needs.
const MAX_BODY: usize = 64 * 1024;

/// The change is accepted.
#[derive(Serialize, ToSchema)]
pub struct Accepted {
    /// Always true.
    ok: bool,
    /// The page of the version's status, if the index does not show the change yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<String>,
}

/// Yank a version: new builds no longer choose it
#[utoipa::path(
    delete,
    path = "/api/v1/crates/{crate}/{version}/yank",
    tag = "publish",
    security(("token" = [])),
    params(VersionPath),
    responses(
        (status = 200, body = Accepted, description = "The yank is accepted"),
        (status = 401, body = Errors, description = "There is no token"),
        (status = 403, body = Errors, description = "The token is unknown or was revoked, or its user is not an owner"),
        (status = 404, body = Errors, description = "There is no such version"),
        (status = 429, body = Errors, description = "Too many requests of this user; `Retry-After` says when to try again"),
    )
)]
pub async fn yank(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    path: ApiPath<(String, String)>,
) -> Result<Json<Accepted>, ApiError> {
    change(app, caller, path, true).await
}

/// Unyank a version: new builds may choose it again
#[utoipa::path(
    put,
    path = "/api/v1/crates/{crate}/{version}/unyank",
    tag = "publish",
    security(("token" = [])),
    params(VersionPath),
    responses(
        (status = 200, body = Accepted, description = "The unyank is accepted"),
        (status = 401, body = Errors, description = "There is no token"),
        (status = 403, body = Errors, description = "The token is unknown or was revoked, or its user is not an owner"),
        (status = 404, body = Errors, description = "There is no such version"),
        (status = 429, body = Errors, description = "Too many requests of this user; `Retry-After` says when to try again"),
    )
)]
pub async fn unyank(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    path: ApiPath<(String, String)>,
) -> Result<Json<Accepted>, ApiError> {
    change(app, caller, path, false).await
}

/// An update of a version.
#[derive(Deserialize, ToSchema)]
pub struct VersionUpdateRequest {
    version: VersionUpdate,
}

/// The yank state that a version gets.
#[derive(Deserialize, ToSchema)]
pub struct VersionUpdate {
    /// Whether it is yanked; null: as it is.
    #[serde(default)]
    yanked: Option<bool>,
    /// Why it is yanked, in one line. Only a yanked version has a message; null removes an earlier one.
    #[serde(default)]
    #[schema(example = "it loses data: use 1.0.1", max_length = 1000)]
    yank_message: Option<String>,
}

/// Yank or unyank a version, with a message
#[utoipa::path(
    patch,
    path = "/api/v1/crates/{crate}/{version}",
    tag = "publish",
    security(("token" = ["yank"])),
    params(VersionPath),
    request_body = VersionUpdateRequest,
    responses((status = 200, body = VersionAnswer, description = "The version; `desired_yanked` if the index does not show the change yet"), AnyError),
)]
pub async fn update(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
    request: Request,
) -> Result<Json<VersionAnswer>, ApiError> {
    let named = crate_and_version(&name, &num);
    let may = |caller: &Caller| {
        if let Ok((name, _)) = &named {
            caller.may(Scope::Yank, name)?;
        }
        app.admit_job()
    };
    let (caller, requested): (_, VersionUpdateRequest) = callers_json(&app, request, MAX_BODY, may).await?;
    let (name, num) = named?;
    let VersionUpdate { yanked, yank_message } = requested.version;
    let completion = accept(&app, caller, (name.clone(), num.clone()), yanked, yank_message).await?;
    is_shown(&app, completion).await;
    fault::point_after(AFTER, "request.answered");
    version::answer(&app, name, num).await
}

async fn change(
    app: App,
    caller: Caller,
    ApiPath((name, num)): ApiPath<(String, String)>,
    yanked: bool,
) -> Result<Json<Accepted>, ApiError> {
    let (name, num) = crate_and_version(&name, &num)?;
    app.admit_job()?;
    let status = format!("{}/crates/{name}/{num}/status", app.settings.base_url);
    let completion = accept(&app, caller, (name, num), Some(yanked), None).await?;
    let msg = (!is_shown(&app, completion).await).then(|| format!("queued; its status: {status}"));
    fault::point_after(AFTER, "request.answered");
    Ok(Json(Accepted { ok: true, msg }))
}

async fn accept(
    app: &App,
    caller: Caller,
    (name, num): (CrateName, Version),
    yanked: Option<bool>,
    message: Option<String>,
) -> Result<Completion, ApiError> {
    app.blocking(move |app| {
        fault::point("request.read")?;
        let requester = (&caller, &app.settings.admission);
        let state = YankState { yanked, message: message.as_deref() };
        let completion = app
            .pool
            .with(|connection| yank::request_as(connection, (&name, &num), state, requester, &app.completions))??;
        fault::point("request.committed")?;
        app.wake_workers();
        let done = match yanked {
            Some(true) => "yanked a version",
            Some(false) => "unyanked a version",
            None => "changed the yank message of a version",
        };
        tracing::info!("crate" = %name, version = %num, "{done}");
        Ok(completion)
    })
    .await
}
