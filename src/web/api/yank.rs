//! `DELETE /api/v1/crates/{crate}/{version}/yank` and `PUT …/unyank`.

use axum::Json;
use axum::extract::{Request, State};
use diesel::PgConnection;
use serde_json::{Value, json};

use super::{ApiPath, crate_name, version};
use crate::database::caller::Caller;
use crate::jobs::{Admission, YankError, unyank_version, yank_version};
use crate::package::{CrateName, Version};
use crate::queue::JobId;
use crate::web::waiting::JobWaiter;
use crate::web::{ApiError, App, auth, body};

type Announce<'a> = &'a mut dyn FnMut(JobId);
type Ask = fn(&mut PgConnection, (&CrateName, &Version), &Caller, &Admission, Announce<'_>) -> Result<JobId, YankError>;

pub async fn yank(
    state: State<App>,
    path: ApiPath<(String, String)>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    change(state, path, request, |connection, version, caller, admission, announce| {
        yank_version::request(connection, version, caller, admission, announce)
    })
    .await
}

pub async fn unyank(
    state: State<App>,
    path: ApiPath<(String, String)>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
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
) -> Result<Json<Value>, ApiError> {
    let (parts, body) = request.into_parts();
    let caller = auth::authenticate(&app, &parts).await;
    body::discard(&parts.headers, body);
    let caller = caller?;
    let name = crate_name(&name)?;
    let num = version(&name, &num)?;
    let status = format!("{}/api/v1/crates/{name}/{num}", app.settings.base_url);
    let waiter = app
        .blocking(move |app| {
            let mut waiter = None;
            app.pool.with(|connection| {
                ask(connection, (&name, &num), &caller, &app.settings.admission, &mut |job| {
                    waiter = Some(JobWaiter::register(&app.completions, job));
                })
            })??;
            app.wake_workers();
            Ok(waiter)
        })
        .await?;
    let shown = match waiter {
        Some(waiter) => waiter.wait(app.settings.publish_wait).await,
        None => false,
    };
    Ok(Json(if shown {
        json!({ "ok": true })
    } else {
        json!({ "ok": true, "msg": format!("queued; its status: {status}") })
    }))
}
