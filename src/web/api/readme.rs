//! `GET /api/v1/crates/{crate}/{version}/readme`.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::path::VersionPath;
use super::version::{find_id, named};
use super::{ApiError, ApiPath};
use crate::database::rows;
use crate::web::App;
use crate::web::views::Errors;

/// Show the README of a version
///
/// As it was sent, which is Markdown most often. It is a stranger's text: a browser is told to run and load nothing of it.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/readme",
    tag = "versions",
    params(VersionPath),
    responses(
        (status = 200, body = String, content_type = "text/markdown; charset=utf-8", description = "The README"),
        (status = 404, body = Errors, description = "There is no such version, or it has no README"),
    )
)]
pub async fn show(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Response, ApiError> {
    let (name, num) = named(&name, &num)?;
    let readme = app
        .with_connection(move |connection| {
            let version = find_id(connection, &name, &num)?;
            let readme = rows::readme(connection, version)?.filter(|readme| !readme.is_empty());
            readme.ok_or_else(|| ApiError::not_found(format!("{name}@{num} came without a README")))
        })
        .await?;
    let headers = [
        (header::CONTENT_TYPE, "text/markdown; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    Ok((headers, readme).into_response())
}
