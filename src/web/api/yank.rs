//! `DELETE /api/v1/crates/{crate}/{version}/yank` and `PUT …/unyank`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::publish::AFTER;
use crate::database::access::caller::Caller;
use crate::fault;
use crate::jobs::yank;
use crate::web::answers::waiting::is_shown;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::{ApiPath, VersionPath, crate_name, version};
use crate::web::views::Errors;
use crate::web::{ApiError, App};

/// The change is accepted.
#[derive(Serialize, ToSchema)]
pub struct Accepted {
    /// Always true.
    ok: bool,
    /// The URL of the version's status, if the index does not show the change yet.
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

async fn change(
    app: App,
    caller: Caller,
    ApiPath((name, num)): ApiPath<(String, String)>,
    yanked: bool,
) -> Result<Json<Accepted>, ApiError> {
    let name = crate_name(&name)?;
    let num = version(&name, &num)?;
    let status = format!("{}/api/v1/crates/{name}/{num}", app.settings.base_url);
    let completion = app
        .blocking(move |app| {
            fault::point("request.read")?;
            let requester = (&caller, &app.settings.admission);
            let completion = app
                .pool
                .with(|connection| yank::request(connection, (&name, &num), yanked, requester, &app.completions))??;
            fault::point("request.committed")?;
            app.wake_workers();
            tracing::info!("crate" = %name, version = %num, "{}", if yanked { "yanked a version" } else { "unyanked a version" });
            Ok(completion)
        })
        .await?;
    let msg = (!is_shown(&app, completion).await).then(|| format!("queued; its status: {status}"));
    fault::point_after(AFTER, "request.answered");
    Ok(Json(Accepted { ok: true, msg }))
}
