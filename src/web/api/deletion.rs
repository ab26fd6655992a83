//! `DELETE /api/v1/crates/{crate}/{version}`: an admin deletes a version; `DELETE /api/v1/crates/{crate}`: an owner or an
//! admin deletes a crate.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::publish::AFTER;
use crate::fault;
use crate::jobs::{delete_crate, delete_version};
use crate::web::answers::waiting::is_shown;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::{ApiPath, CratePath, VersionPath, crate_name, version};
use crate::web::extract::query::QueryParameters;
use crate::web::views::{AnyError, Errors};
use crate::web::{ApiError, App};

/// Why the version is deleted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct DeletionQuery {
    /// Shown in place of the version, and kept in the audit log.
    #[param(example = "held a private key", min_length = 1, max_length = 1000)]
    reason: Option<String>,
}

/// The version is deleted.
#[derive(Serialize, ToSchema)]
pub struct Deleted {
    pub ok: bool,
    /// A note, if the index still shows the version.
    pub msg: Option<String>,
}

/// Deletes a version: its line is removed from the index and its file from the store, and its number stays taken. For
/// admins, with a reason. To make new builds choose another version, yank it instead.
#[utoipa::path(
    delete,
    path = "/api/v1/crates/{crate}/{version}",
    tag = "admin",
    params(
        VersionPath,
        DeletionQuery,
    ),
    security(("token" = [])),
    responses((status = 200, description = "The version is deleted", body = Deleted), AnyError),
)]
pub async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath((name, num)): ApiPath<(String, String)>,
    query: QueryParameters,
) -> Result<Json<Deleted>, ApiError> {
    // Before the answer reveals anything about the crate. Checked again in the transaction.
    caller.admin()?;
    let name = crate_name(&name)?;
    let num = version(&name, &num)?;
    let status = format!("{}/crates/{name}/{num}/status", app.settings.base_url);
    let completion = app
        .blocking(move |app| {
            fault::point("request.read")?;
            let reason = query.get("reason").unwrap_or_default();
            let completion = app.pool.with(|connection| {
                delete_version::request_as(connection, (&name, &num), reason, &caller, &app.completions)
            })??;
            app.known_files.doubt();
            fault::point("request.committed")?;
            app.wake_workers();
            tracing::warn!("crate" = %name, version = %num, reason, "deleted a version");
            Ok(completion)
        })
        .await?;
    let msg = (!is_shown(&app, completion).await)
        .then(|| format!("the version is no longer served; the index will show that shortly. Its status: {status}"));
    fault::point_after(AFTER, "request.answered");
    Ok(Json(Deleted { ok: true, msg }))
}

/// Why the crate is deleted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct CrateDeletionQuery {
    /// Shown in place of the crate, and kept in the audit log.
    #[param(example = "published by mistake", max_length = 1000)]
    message: Option<String>,
}

/// Deletes a crate: its file is removed from the index and the crate files of its versions from the store. Its name and the
/// numbers of its versions stay taken.
///
/// For users who own the crate, within 72 hours of its creation and unless other crates of the registry depend on it, and
/// for admins. It needs an unrestricted token.
#[utoipa::path(
    delete,
    path = "/api/v1/crates/{crate}",
    tag = "crates",
    params(CratePath, CrateDeletionQuery),
    security(("token" = [])),
    responses(
        (status = 204, description = "The crate is deleted"),
        (status = 422, body = Errors, description = "Its owners cannot delete it any more, or other crates depend on it"),
        AnyError
    ),
)]
pub async fn delete_crate(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
) -> Result<StatusCode, ApiError> {
    // Before the answer reveals anything about the crate. Checked again in the transaction.
    caller.unrestricted()?;
    let name = crate_name(&name)?;
    let completion = app
        .blocking(move |app| {
            fault::point("request.read")?;
            let message = query.get("message");
            let window = app.settings.admission.crate_deletion_window;
            let completion = app.pool.with(|connection| {
                delete_crate::request_as(connection, &name, message, (&caller, window), &app.completions)
            })??;
            app.known_files.doubt();
            fault::point("request.committed")?;
            app.wake_workers();
            tracing::warn!("crate" = %name, reason = message, "deleted a crate");
            Ok(completion)
        })
        .await?;
    is_shown(&app, completion).await;
    fault::point_after(AFTER, "request.answered");
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes the crate named `new`, as `DELETE /api/v1/crates/{crate}` deletes others.
#[utoipa::path(
    delete,
    path = "/api/v1/crates/new",
    tag = "crates",
    params(CrateDeletionQuery),
    security(("token" = [])),
    responses(
        (status = 204, description = "The crate is deleted"),
        (status = 422, body = Errors, description = "Its owners cannot delete it any more, or other crates depend on it"),
        AnyError
    ),
)]
pub async fn delete_new(
    state: State<App>,
    caller: Authenticated,
    query: QueryParameters,
) -> Result<StatusCode, ApiError> {
    delete_crate(state, caller, ApiPath("new".to_owned()), query).await
}
