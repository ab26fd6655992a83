//! `DELETE /stage/{set}/api/v1/crates/{crate}/{version}/yank`, `PUT …/unyank` and, for admins, `DELETE
//! /stage/{set}/api/v1/crates/{crate}/{version}?reason=…`: changes that the approval makes.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::naming::set_name;
use crate::database::access::caller::Caller;
use crate::database::staging::staged::Change;
use crate::jobs::staging::change;
use crate::jobs::staging::stage::Into;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::{ApiPath, crate_and_version};
use crate::web::extract::query::QueryParameters;
use crate::web::{ApiError, App};

type SetAndVersion = ApiPath<(String, String, String)>;

pub(super) async fn yank(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    path: SetAndVersion,
) -> Result<Json<Value>, ApiError> {
    stage(app, caller, path, (Change::Yank, None)).await
}

pub(super) async fn unyank(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    path: SetAndVersion,
) -> Result<Json<Value>, ApiError> {
    stage(app, caller, path, (Change::Unyank, None)).await
}

pub(super) async fn remove(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    path: SetAndVersion,
    query: QueryParameters,
) -> Result<Json<Value>, ApiError> {
    caller.admin()?;
    stage(app, caller, path, (Change::Delete, query.text("reason"))).await
}

async fn stage(
    app: App,
    caller: Caller,
    ApiPath((set, name, num)): SetAndVersion,
    (change, message): (Change, Option<String>),
) -> Result<Json<Value>, ApiError> {
    let set = set_name(&set)?;
    let (name, num) = crate_and_version(&name, &num)?;
    let msg = format!(
        "staged in the release set `{set}`: the {} of {name}@{num} is made when the set is approved",
        change.noun()
    );
    app.blocking(move |app| {
        let wanted = (change, message.as_deref());
        let into = Into { set: &set, is_of_publish: false, is_preview: !app.settings.auth_required };
        app.pool.with(|connection| {
            change::request(connection, into, (&name, &num), wanted, (&caller, &app.settings.admission))
        })??;
        app.overlays.forget(&set);
        Ok(())
    })
    .await?;
    Ok(Json(json!({ "ok": true, "msg": msg })))
}
