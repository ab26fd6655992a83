//! `DELETE /api/v1/crates/{crate}/{version}/yank` and `PUT …/unyank`.

use axum::Json;
use axum::extract::{Request, State};
use diesel::PgConnection;
use serde::Serialize;
use utoipa::ToSchema;

use super::publish::AFTER;
use crate::database::access::caller::Caller;
use crate::fault;
use crate::jobs::{Admission, YankError, unyank_version, yank_version};
use crate::package::{CrateName, Version};
use crate::queue::JobId;
use crate::web::answers::waiting::JobWaiter;
use crate::web::extract::path::{ApiPath, VersionPath, crate_name, version};
use crate::web::extract::{auth, body};
use crate::web::views::Errors;
use crate::web::{ApiError, App};

/// The wish is accepted.
#[derive(Serialize, ToSchema)]
pub struct Accepted {
    /// Always true.
    ok: bool,
    /// Where to look, if the index does not show it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<String>,
}

type Announce<'a> = &'a mut dyn FnMut(JobId);
type Ask = fn(&mut PgConnection, (&CrateName, &Version), &Caller, &Admission, Announce<'_>) -> Result<JobId, YankError>;

/// Yank a version: new builds no longer choose it
#[utoipa::path(
    delete,
    path = "/api/v1/crates/{crate}/{version}/yank",
    tag = "publish",
    security(("token" = [])),
    params(VersionPath),
    responses(
        (status = 200, body = Accepted, description = "The wish is accepted"),
        (status = 401, body = Errors, description = "There is no token"),
        (status = 403, body = Errors, description = "The token is unknown or was revoked, or its user is no owner"),
        (status = 404, body = Errors, description = "There is no such version"),
        (status = 429, body = Errors, description = "Too many requests of this user; `Retry-After` says when to try again"),
    )
)]
pub async fn yank(
    state: State<App>,
    path: ApiPath<(String, String)>,
    request: Request,
) -> Result<Json<Accepted>, ApiError> {
    change(state, path, request, |connection, version, caller, admission, announce| {
        yank_version::request(connection, version, caller, admission, announce)
    })
    .await
}

/// Unyank a version: new builds choose it again
#[utoipa::path(
    put,
    path = "/api/v1/crates/{crate}/{version}/unyank",
    tag = "publish",
    security(("token" = [])),
    params(VersionPath),
    responses(
        (status = 200, body = Accepted, description = "The wish is accepted"),
        (status = 401, body = Errors, description = "There is no token"),
        (status = 403, body = Errors, description = "The token is unknown or was revoked, or its user is no owner"),
        (status = 404, body = Errors, description = "There is no such version"),
        (status = 429, body = Errors, description = "Too many requests of this user; `Retry-After` says when to try again"),
    )
)]
pub async fn unyank(
    state: State<App>,
    path: ApiPath<(String, String)>,
    request: Request,
) -> Result<Json<Accepted>, ApiError> {
    change(state, path, request, |connection, version, caller, admission, announce| {
        unyank_version::request(connection, version, caller, admission, announce)
    })
    .await
}

async fn change(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
    request: Request,
    ask: Ask,
) -> Result<Json<Accepted>, ApiError> {
    let (parts, body) = request.into_parts();
    let caller = auth::authenticate(&app, &parts).await;
    let at_most = if caller.is_ok() { body::USER } else { body::STRANGER };
    body::discard(&parts.headers, body, at_most);
    let caller = caller?;
    let name = crate_name(&name)?;
    let num = version(&name, &num)?;
    let status = format!("{}/api/v1/crates/{name}/{num}", app.settings.base_url);
    let waiter = app
        .blocking(move |app| {
            fault::point("request.read")?;
            let mut waiter = None;
            app.pool.with(|connection| {
                ask(connection, (&name, &num), &caller, &app.settings.admission, &mut |job| {
                    waiter = Some(JobWaiter::register(&app.completions, job));
                })
            })??;
            fault::point("request.committed")?;
            app.wake_workers();
            Ok(waiter)
        })
        .await?;
    let shown = match waiter {
        Some(waiter) => waiter.wait(app.index.view.index(), app.settings.publish_wait).await,
        None => false,
    };
    let msg = (!shown).then(|| format!("queued; its status: {status}"));
    fault::point_after(AFTER, "request.answered");
    Ok(Json(Accepted { ok: true, msg }))
}
