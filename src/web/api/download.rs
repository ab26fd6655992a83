//! `GET /api/v1/crates/{crate}/{version}/download`: sends a crate file.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::catalog::versions;
use crate::package::{CrateName, Version};
use crate::web::answers::crate_file::{self, FileRequest};
use crate::web::extract::path::{ApiPath, VersionPath, crate_and_version};
use crate::web::lookup::no_such_version;
use crate::web::measures::downloads;
use crate::web::views::Errors;
use crate::web::{ApiError, App};

/// Download a crate file
///
/// Sends the stored bytes, also of a yanked version. A client that accepts `application/json` gets the file's URL instead.
/// Responses that send the file from its first byte on are counted as downloads; HEAD requests, 304 responses, later ranges
/// and responses with the URL are not.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/download",
    tag = "downloads",
    params(VersionPath),
    responses(
        (status = 200, description = "The file, or its URL", content(
            (CrateFileBody = "application/gzip"),
            (Location = "application/json"),
        )),
        (status = 206, description = "The requested range of the file", body = CrateFileBody, content_type = "application/gzip"),
        (status = 304, description = "The client already has the file"),
        (status = 412, body = Errors, description = "If-Match does not name the file"),
        (status = 416, body = Errors, description = "The range is outside the file"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn download(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (name, num) = crate_and_version(&name, &num)?;
    if wants_json(&headers) {
        return Ok(location(&app, &name, &num).await?.into_response());
    }
    app.blocking(move |app| {
        let missing = || no_such_version(&name, &num.to_string());
        let (version_id, checksum) =
            app.pool.with(|connection| versions::crate_file(connection, &name, &num))??.ok_or_else(missing)?;
        let request = FileRequest { name: &name, num: &num, checksum, method: &method, headers: &headers };
        let (response, sends_file) = crate_file::respond(app, &request)?;
        downloads::began(&method, &response);
        if sends_file {
            app.download_counts.add(version_id);
        }
        Ok(response)
    })
    .await
}

/// A gzipped tar archive. It has no `Content-Encoding`: clients would unpack it and get another checksum.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct CrateFileBody(Vec<u8>);

/// The location of a crate file.
#[derive(Serialize, ToSchema)]
pub struct Location {
    /// The URL of the file.
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
