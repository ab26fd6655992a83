//! `DELETE /api/v1/crates/{crate}/{version}`: an admin takes a version away for good.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::jobs::delete_version;
use crate::web::answers::waiting::JobWaiter;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::{ApiPath, VersionPath, crate_name, version};
use crate::web::extract::query::QueryParameters;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// Why the version is deleted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct DeletionQuery {
    /// Shown to whoever looks for the version, and kept in the log.
    #[param(example = "held a private key", min_length = 1, max_length = 1000)]
    reason: Option<String>,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub struct Deleted {
    pub ok: bool,
    /// Where it stands, if the index still shows the version.
    pub msg: Option<String>,
}

/// Deletes a version: its line leaves the index and its file the store, its number stays taken. For admins, with a reason.
/// Whoever only wants new builds to choose another version yanks it.
#[utoipa::path(
    delete,
    path = "/api/v1/crates/{crate}/{version}",
    tag = "admin",
    params(
        VersionPath,
        DeletionQuery,
    ),
    security(("token" = [])),
    responses((status = 200, description = "It is deleted", body = Deleted), AnyError),
)]
pub async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath((name, num)): ApiPath<(String, String)>,
    query: QueryParameters,
) -> Result<Json<Deleted>, ApiError> {
    // Before anything is told of the crate. It is checked again in the transaction.
    caller.admin()?;
    let name = crate_name(&name)?;
    let num = version(&name, &num)?;
    let waiter = app
        .blocking(move |app| {
            let mut waiter = None;
            let reason = query.get("reason").unwrap_or_default();
            app.pool.with(|connection| {
                delete_version::request_as(connection, (&name, &num), reason, &caller, |job| {
                    waiter = Some(JobWaiter::register(&app.completions, job));
                })
            })??;
            app.wake_workers();
            tracing::warn!(%name, %num, by = caller.user.login, reason, "deleted a version");
            Ok(waiter)
        })
        .await?;
    let shown = match waiter {
        Some(waiter) => waiter.wait(app.index.view.index(), app.settings.publish_wait).await,
        None => false,
    };
    let msg = (!shown).then(|| "it is not served any more; the index will show that shortly".to_owned());
    Ok(Json(Deleted { ok: true, msg }))
}
