//! `GET /api/v1/crates/{crate}/{version}/download`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ApiPath, crate_name, no_such_version, version};
use crate::database::catalog::versions;
use crate::package::{CrateName, Version};
use crate::web::answers::crate_file::{self, Asked};
use crate::web::extract::path::VersionPath;
use crate::web::views::Errors;
use crate::web::{ApiError, App};

/// Download a crate file
///
/// The stored bytes, yanked or not. A client that accepts JSON alone is told the URL instead. A download is counted when
/// its bytes are about to be sent from the first one on: not for HEAD, not for a 304, not for the rest of a file, and not
/// where the URL is told.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/download",
    tag = "downloads",
    params(VersionPath),
    responses(
        (status = 200, description = "The file, or where it is", content(
            (CrateFileBody = "application/gzip"),
            (Location = "application/json"),
        )),
        (status = 206, description = "A part of the file", body = CrateFileBody, content_type = "application/gzip"),
        (status = 304, description = "The client has the file"),
        (status = 412, body = Errors, description = "The file is not the one that If-Match names"),
        (status = 416, body = Errors, description = "The range lies behind the end of the file"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn download(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let name = crate_name(&name)?;
    let num = version(&name, &num)?;
    if wants_json(&headers) {
        return Ok(location(&app, &name, &num).await?.into_response());
    }
    app.blocking(move |app| {
        let missing = || no_such_version(&name, &num.to_string());
        let (version_id, checksum) =
            app.pool.with(|connection| versions::crate_file(connection, &name, &num))??.ok_or_else(missing)?;
        let asked = Asked { name: &name, num: &num, checksum, method: &method, headers: &headers };
        let (response, sends_file) = crate_file::respond(app, &asked)?;
        if sends_file {
            app.download_counts.add(version_id);
        }
        Ok(response)
    })
    .await
}

/// A gzipped tar. It is gzip by nature and not by encoding: labelled with `Content-Encoding`, clients would unpack it and
/// find another checksum.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it stands for bytes in the API's description")]
pub struct CrateFileBody(Vec<u8>);

/// Where a crate file is.
#[derive(Serialize, ToSchema)]
pub struct Location {
    /// The URL to download it from.
    url: String,
}

fn wants_json(request: &HeaderMap) -> bool {
    let accept = request.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}

async fn location(app: &App, name: &CrateName, num: &Version) -> Result<impl IntoResponse + use<>, ApiError> {
    let url = format!("{}/api/v1/crates/{name}/{num}/download", app.settings.base_url);
    let (name, num) = (name.clone(), num.clone());
    app.with_connection(move |connection| {
        versions::crate_file(connection, &name, &num)?.ok_or_else(|| no_such_version(&name, &num.to_string()))
    })
    .await?;
    Ok(([(header::VARY, "accept")], Json(Location { url })))
}
