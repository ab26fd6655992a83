//! `GET /api/v1/crates/{crate}/{version}/status`: the way of a version into the index.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::jobs::status;
use crate::web::extract::auth::PerhapsAuthenticated;
use crate::web::extract::path::{ApiPath, VersionPath, crate_and_version};
use crate::web::views::{Errors, StatusView};
use crate::web::{ApiError, App};

/// The status of a version.
#[derive(Serialize, ToSchema)]
pub struct StatusAnswer {
    status: StatusView,
}

/// Show what became of a publish, a yank, an unyank or a deletion
///
/// Shows what was requested beside what the index shows, and the jobs that are to write it. Owners of the crate and admins who
/// send a token without restrictions also see the errors of jobs as they were recorded. Deleted versions have a status, too.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/status",
    tag = "publish",
    params(VersionPath),
    responses(
        (status = 200, body = StatusAnswer, description = "The status"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn show(
    State(app): State<App>,
    PerhapsAuthenticated(caller): PerhapsAuthenticated,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Json<StatusAnswer>, ApiError> {
    let (name, num) = crate_and_version(&name, &num)?;
    app.with_connection(move |connection| {
        let status = StatusView::new(status::read(connection, &name, &num, caller.as_ref())??);
        Ok::<_, ApiError>(Json(StatusAnswer { status }))
    })
    .await
}
